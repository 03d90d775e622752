'use strict'

// Reads the arguments of a command.

const { parseArgs } = require('node:util')

const { UsageError } = require('./usage-error.js')

/** The options and the other words, by the table that `parseArgs` of Node.js takes. Throws `UsageError`. */
function readArguments(words, options) {
  try {
    const { values, positionals } = parseArgs({ args: words, options, allowPositionals: true })
    return { values, positionals }
  } catch (error) {
    throw new UsageError(reasonOf(error, options))
  }
}

// The messages of `parseArgs` repeat what was written, so only the names of known options are taken from them.
function reasonOf({ message }, options) {
  const [, name] = /--([a-z-]+)/.exec(String(message)) ?? []
  if (name && Object.hasOwn(options, name)) {
    return options[name].type === 'string' ? `--${name} takes a value` : `--${name} takes no value`
  }
  const known = Object.keys(options).map((each) => `--${each}`)
  return `there is an unknown option; the options are ${known.join(', ')}`
}

module.exports = { readArguments }
