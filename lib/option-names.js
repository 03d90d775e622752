'use strict'

const addon = require('./addon.js')

/**
 * The options that the native side reads, by the class or method that takes them: `true`, or a table where an option is an object. What
 * lib reads itself is beside the code that reads it.
 */
const tables = {}

for (const [taker, path] of addon.optionTable()) {
  const groups = path.split('.')
  const name = groups.pop()
  let table = (tables[taker] ??= {})
  for (const group of groups) {
    if (table[group] === true) table[group] = {}
    table = table[group]
  }
  table[name] = true
}

module.exports = tables
