'use strict'

const { argumentError } = require('./error.js')
const { describe } = require('./options.js')

/** Throws unless it is a valid ttl in seconds. For ttls that are used only after the caller's own function has run. */
function positiveSeconds(value, name) {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return
  const got = typeof value === 'number' ? String(value) : describe(value)
  throw argumentError(`${name} must be a positive number of seconds, got ${got}`)
}

module.exports = { positiveSeconds }
