'use strict'

const { argumentError } = require('./error.js')
const { describe } = require('./options.js')

/** Throws unless it can be a life in seconds. For lives that are used only after a caller's own function has run. */
function positiveSeconds(value, name) {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return
  const got = typeof value === 'number' ? String(value) : describe(value)
  throw argumentError(`${name} must be a positive number of seconds, got ${got}`)
}

module.exports = { positiveSeconds }
