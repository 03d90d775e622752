'use strict'

const { argumentError } = require('./error.js')
const { NONE } = require('./limits.js')

const openers = new WeakMap()
const limits = new WeakMap()
const origins = new WeakMap()

/** Registers how to reach the native service behind a JavaScript one, and the limits that apply to its calls. */
function provideHandle(service, open, bounds = NONE) {
  openers.set(service, open)
  limits.set(service, bounds)
}

/** The limits that apply to the calls of this service; none without a service. */
function limitsOf(service) {
  return service === undefined ? NONE : limits.get(service)
}

/** The native service with limits applied. */
function handleWithin(handle, bounds) {
  const bound = handle.within(bounds)
  origins.set(bound, originOf(handle))
  return bound
}

/** The native service without limits. Shared state belongs to it. */
function originOf(handle) {
  return origins.get(handle) ?? handle
}

/** The native service behind `service`; creates that of the lazy default service. Throws for anything else. */
function handleOf(service) {
  const open = typeof service === 'object' && service !== null ? openers.get(service) : undefined
  if (!open)
    throw argumentError(
      'the first argument must be a RedisService. If it is one, it was created by another copy of cinnabar: check `npm ls cinnabar` and install only one version',
    )
  return open()
}

/**
 * Returns a function that returns what `make` creates from a native service. It is created immediately if a service is given. For
 * the default service it is created at first use, since a module may construct its managers before the environment variables are
 * set; if that fails, every call rejects with the error.
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

// Required lazily, because default.js requires every class.
function defaultService() {
  return require('./default.js').redisService
}

/** Replaces a native object that could not be created: every call rejects. */
function refusing(error) {
  return new Proxy({}, { get: () => () => Promise.reject(error) })
}

/** Whether it is a service created by this copy of the package. Creates nothing. */
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
