'use strict'

const { handleOf } = require('./lib/native-service.js')

/** Moves the clock of the embedded engine behind `service` forward. */
async function advanceTime(service, ms) {
  return handleOf(service).advanceTime(ms)
}

module.exports = { advanceTime }
