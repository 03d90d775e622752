'use strict'

// `cinnabar/next` and `cinnabar/hono` in a runtime without Node-API, as edge.js is `cinnabar` there.

const { unsupported } = require('./lib/unsupported.js')

module.exports = {
  session: unsupported('session'),
  rateLimit: unsupported('rateLimit'),
  cache: unsupported('cache'),
  withRateLimit: unsupported('withRateLimit'),
}
