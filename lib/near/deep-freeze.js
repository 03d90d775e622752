'use strict'

/** Freezes a value that JSON describes, and all in it, however deep. */
function deepFreeze(value) {
  const rest = [value]
  while (rest.length > 0) {
    const next = rest.pop()
    if (typeof next !== 'object' || next === null || Object.isFrozen(next)) continue
    Object.freeze(next)
    for (const inner of Object.values(next)) rest.push(inner)
  }
  return value
}

module.exports = { deepFreeze }
