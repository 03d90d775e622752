'use strict'

const { argumentError } = require('./error.js')
const { describeNumber } = require('./options.js')

// A hundred years, as in crates/port/src/number.rs.
const LONGEST = 3_155_760_000

/** Throws unless it is a valid ttl in seconds. For ttls that are used only after the caller's own function has run. */
function assertTtl(value, name) {
  if (typeof value === 'number' && value > 0 && value <= LONGEST) return
  throw argumentError(`${name} must be a number of seconds above 0 and up to ${LONGEST}, got ${describeNumber(value)}`)
}

/** The options with a ttl for ever, which is a hundred years, as a number that the store takes. */
function withFiniteTtl(options) {
  return options?.ttl === Infinity ? { ...options, ttl: LONGEST } : options
}

module.exports = { LONGEST, assertTtl, withFiniteTtl }
