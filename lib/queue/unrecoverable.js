'use strict'

const BRAND = Symbol.for('cinnabar.unrecoverable')

/** Thrown by a handler where no other attempt would help: the job is dead at once. */
class UnrecoverableError extends Error {
  static [Symbol.hasInstance](value) {
    if (this !== UnrecoverableError) return Function.prototype[Symbol.hasInstance].call(this, value)
    return isUnrecoverable(value)
  }
}

for (const [key, value] of [
  ['name', 'UnrecoverableError'],
  [BRAND, true],
]) {
  Object.defineProperty(UnrecoverableError.prototype, key, { value, configurable: true, writable: true })
}

/** By a brand, because another copy of the package has a class of its own. */
function isUnrecoverable(value) {
  try {
    return typeof value === 'object' && value !== null && value[BRAND] === true
  } catch {
    // Anything may be thrown, a proxy that throws in turn included.
    return false
  }
}

module.exports = { UnrecoverableError, isUnrecoverable }
