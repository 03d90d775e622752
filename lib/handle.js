'use strict'

const { argumentError } = require('./error.js')

const openers = new WeakMap()

/** Tells how to reach the native service behind a JavaScript one. */
function provideHandle(service, open) {
  openers.set(service, open)
}

/** The native service behind `service`; makes it when it is the lazy default one. Throws for anything else. */
function handleOf(service) {
  const open = typeof service === 'object' && service !== null ? openers.get(service) : undefined
  if (!open) throw argumentError('the first argument must be a RedisService of this copy of cinnabar')
  return open()
}

/** Whether it is a service of this copy of the package. Makes nothing. */
function isService(service) {
  return openers.has(service)
}

module.exports = { handleOf, isService, provideHandle }
