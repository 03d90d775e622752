'use strict'

const { argumentError } = require('../error.js')
const { describeNumber, ownOptions } = require('../options.js')

// A longer delay overflows JavaScript timers, which then fire immediately.
const LONGEST_MS = 2_147_483_647

/** The options of a check with their defaults. Throws `E_INVALID_ARGUMENT` for invalid values. */
function checkSettings(options) {
  const { timeoutMs = 2000, slowMs = 100 } = ownOptions(options, ['timeoutMs', 'slowMs'])
  return { timeoutMs: milliseconds(timeoutMs, 'timeoutMs'), slowMs: milliseconds(slowMs, 'slowMs') }
}

/** Throws unless it is a duration that a timer supports. */
function milliseconds(value, name, { zero = false } = {}) {
  const fits = typeof value === 'number' && (zero ? value >= 0 : value > 0) && value <= LONGEST_MS
  if (fits) return value
  const wanted = `${zero ? 'zero or more' : 'a positive number of'} milliseconds, at most ${LONGEST_MS}`
  throw argumentError(`${name} must be ${wanted}, got ${describeNumber(value)}`)
}

module.exports = { checkSettings, milliseconds }
