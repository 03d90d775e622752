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

/** What the calls of this service are bound to; nothing where none is given. */
function limitsOf(service) {
  return service === undefined ? NONE : limits.get(service)
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

/**
 * What `make` makes of a native service, behind a function: at once of a service that is given, and of the default one at the first use,
 * since a module may make its managers before the environment has its settings. What cannot be made then, its calls say.
 */
function madeOf(service, make) {
  let made = service === undefined ? undefined : make(handleOf(service))
  return () => (made ??= makeOfDefault(make))
}

function makeOfDefault(make) {
  try {
    return make(handleOf(defaultService()))
  } catch (error) {
    return {
      native: refusing(error),
      get flights() {
        throw error
      },
    }
  }
}

// Loaded here, because it loads every class itself.
function defaultService() {
  return require('./default.js').redisService
}

/** Stands for a native object that cannot be made: its calls reject. */
function refusing(error) {
  return new Proxy({}, { get: () => () => Promise.reject(error) })
}

/** Whether it is a service of this copy of the package. Makes nothing. */
function isService(service) {
  return openers.has(service)
}

module.exports = {
  defaultService,
  handleOf,
  handleWithin,
  isService,
  limitsOf,
  madeOf,
  originOf,
  provideHandle,
  refusing,
}
