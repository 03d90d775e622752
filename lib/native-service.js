'use strict'

const { argumentError } = require('./error.js')

const openers = new WeakMap()
const lazy = new WeakSet()
const unlimitedOf = new WeakMap()

/**
 * Registers `open()`, which returns the native service behind a JavaScript one. `isLazy` says that it is to be called at the first
 * use of the service only.
 */
function registerService(service, open, isLazy = false) {
  openers.set(service, open)
  if (isLazy) lazy.add(service)
}

/** The native service with limits applied. */
function nativeWithin(native, limits) {
  const limited = native.within(limits)
  unlimitedOf.set(limited, unlimited(native))
  return limited
}

/** The native service without limits. Shared state belongs to it. */
function unlimited(native) {
  return unlimitedOf.get(native) ?? native
}

/** Identifies the store of a native service: services on the same store have the same. */
function storeIdOf(native) {
  return JSON.stringify(native.describe())
}

/** The error for what should be a service, named by `what`. */
function notAService(what) {
  return argumentError(
    `${what} must be a RedisService. If it is one, it was created by another copy of cinnabar: check \`npm ls cinnabar\` and install only one version`,
  )
}

/** The error for something else in place of a service, where options are the second argument. */
function notFirst(value) {
  if (!isPlain(value) && typeof value !== 'string') return notAService('the first argument')
  return argumentError(
    'the first argument must be a RedisService, such as new RedisService({ url }), or undefined for the default one; options are the second argument',
  )
}

function isPlain(value) {
  try {
    return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  } catch {
    // A proxy may throw whenever it is read.
    return false
  }
}

/** The native service behind `service`; creates that of the lazy default service. Throws for anything else. */
function nativeOf(service) {
  const open = typeof service === 'object' && service !== null ? openers.get(service) : undefined
  if (!open) throw notFirst(service)
  return open()
}

/** Whether it is a service created by this copy of the package. Creates nothing. */
function isService(service) {
  return openers.has(service)
}

/** Whether its native service is created at its first use. */
function isLazy(service) {
  return lazy.has(service)
}

module.exports = { isLazy, isService, nativeOf, nativeWithin, notAService, registerService, storeIdOf, unlimited }
