'use strict'

const { nativeOf } = require('./lib/native-service.js')

/** Moves the clock of the embedded engine behind `service` forward. */
async function advanceTime(service, ms) {
  return nativeOf(service).advanceTime(ms)
}

module.exports = { advanceTime }
