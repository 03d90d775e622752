'use strict'

const { isDeepStrictEqual } = require('node:util')

/**
 * `current` with what changed from `before` to `after`, field by field: a field that both sides changed is as in `after`. Nothing is
 * merged within a field, since a list that is merged item by item has items twice.
 */
function merged(before, after, current) {
  const result = { ...current }
  for (const name of Object.keys({ ...before, ...after })) {
    const has = Object.hasOwn(after, name)
    if (has === Object.hasOwn(before, name) && isDeepStrictEqual(before[name], after[name])) continue
    if (has) define(result, name, after[name])
    else delete result[name]
  }
  return result
}

// Not by assignment, which for `__proto__` sets no field.
function define(object, name, value) {
  Object.defineProperty(object, name, { value, configurable: true, enumerable: true, writable: true })
}

module.exports = { merged }
