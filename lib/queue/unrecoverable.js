'use strict'

const BRAND = Symbol.for('cinnabar.unrecoverable')

/** Thrown by a handler when a retry would not help: the job becomes dead immediately. */
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

/** Checks a brand rather than the class, because another copy of the package has its own class. */
function isUnrecoverable(value) {
  try {
    return typeof value === 'object' && value !== null && value[BRAND] === true
  } catch {
    // Anything may be thrown, including a proxy that throws when accessed.
    return false
  }
}

module.exports = { UnrecoverableError, isUnrecoverable }
