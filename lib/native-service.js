'use strict'

const { NONE } = require('./call-options.js')
const { argumentError } = require('./error.js')
const { SYNCHRONOUS } = require('./static-forms.js')

const openers = new WeakMap()
const limits = new WeakMap()
const origins = new WeakMap()
const lazy = new WeakSet()

/**
 * Registers how to reach the native service behind a JavaScript one, and the limits that apply to its calls. `isLazy` says that
 * `open()` is to be called at its first use only.
 */
function provideHandle(service, open, bounds = NONE, isLazy = false) {
  openers.set(service, open)
  if (isLazy) lazy.add(service)
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

/** Names the store of a native service: services on the same one have the same. */
function placeOf(handle) {
  return JSON.stringify(handle.describe())
}

/** The error for what should be a service, named by `what`. */
function notAService(what) {
  return argumentError(
    `${what} must be a RedisService. If it is one, it was created by another copy of cinnabar: check \`npm ls cinnabar\` and install only one version`,
  )
}

/** The error for something else in place of a service, where options are the second argument. */
function notFirst(value) {
  const isPlain = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  if (!isPlain && typeof value !== 'string') return notAService('the first argument')
  return argumentError(
    'the first argument must be a RedisService, such as new RedisService({ url }), or undefined for the default one; options are the second argument',
  )
}

/** The native service behind `service`; creates that of the lazy default service. Throws for anything else. */
function handleOf(service) {
  const open = typeof service === 'object' && service !== null ? openers.get(service) : undefined
  if (!open) throw notFirst(service)
  return open()
}

/**
 * Returns a function that returns what `make` creates from a native service. It is created immediately if a service is given. For
 * the default service, given or not, it is created at first use, since a module may construct its managers before the environment
 * variables are set; if that fails, every call rejects with the error.
 */
function madeOf(service, make) {
  let made = service === undefined || lazy.has(service) ? undefined : make(handleOf(service))
  return () => (made ??= makeOfLazy(service ?? defaultService(), make))
}

function makeOfLazy(service, make) {
  try {
    return make(handleOf(service))
  } catch (error) {
    const refuse = () => {
      throw error
    }
    return Object.defineProperties(
      { native: refusing(error), refused: error },
      { flights: { get: refuse }, origin: { get: refuse } },
    )
  }
}

// Required lazily, because default.js requires every class.
function defaultService() {
  return require('./default-service.js').redisService
}

/**
 * Returns a function that returns what `make` creates from the value of such a function, also at first use. What could not be
 * created stays as it is.
 */
function derivedOf(made, make) {
  let derived
  return () => (derived ??= made().refused ? made() : make(made()))
}

/** Replaces a native object that could not be created: every call rejects, or throws if it returns no promise. */
function refusing(error) {
  const refuse = () => {
    throw error
  }
  const get = (_, name) => {
    if (name === 'within') return () => native
    return SYNCHRONOUS.has(name) ? refuse : () => Promise.reject(error)
  }
  const native = new Proxy({}, { get })
  return native
}

/** Whether it is a service created by this copy of the package. Creates nothing. */
function isService(service) {
  return openers.has(service)
}

/** Whether its native service is created at its first use. */
function isLazy(service) {
  return lazy.has(service)
}

module.exports = {
  defaultService,
  derivedOf,
  handleOf,
  handleWithin,
  isLazy,
  isService,
  limitsOf,
  madeOf,
  notAService,
  originOf,
  placeOf,
  provideHandle,
  refusing,
}
