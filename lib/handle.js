'use strict'

const { argumentError } = require('./error.js')
const { NONE } = require('./limits.js')

const openers = new WeakMap()
const limits = new WeakMap()
const origins = new WeakMap()

/** Tells how to reach the native service behind a JavaScript one, and what its calls are bound to. */
function provideHandle(service, open, bounds = NONE) {
  openers.set(service, open)
  limits.set(service, bounds)
}

/** What the calls of this service are bound to. */
function limitsOf(service) {
  return limits.get(service)
}

/** A native service within limits. */
function handleWithin(handle, bounds) {
  const bound = handle.within(bounds)
  origins.set(bound, originOf(handle))
  return bound
}

/** The native service that this one is, limits apart: what is shared is shared by it. */
function originOf(handle) {
  return origins.get(handle) ?? handle
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

module.exports = { handleOf, handleWithin, isService, limitsOf, originOf, provideHandle }
