'use strict'

const { NO_LIMITS } = require('./call-limits.js')
const { limitsOf } = require('./limitable.js')
const { isLazy, nativeOf } = require('./native-service.js')
const { SYNCHRONOUS } = require('./static-forms.js')

let getDefaultService

/** Sets the service of every object that is made without one. */
function useDefaultService(get) {
  getDefaultService = get
}

function defaultService() {
  return getDefaultService()
}

/**
 * What an object of a feature is made of: the native object, whatever else its class needs on the same service, and the state that it
 * shares with the objects that `with()` derives from it.
 */
class FeatureParts {
  #made
  #shared

  constructor(made, shared) {
    this.#made = made
    this.#shared = shared
  }

  /** `{ native, … }` as its class has made it. */
  get made() {
    return this.#made()
  }

  get native() {
    return this.#made().native
  }

  get shared() {
    return this.#shared
  }

  within(limits) {
    let derived
    const derive = (made) => (made.error ? made : { ...made, native: made.native.within(limits) })
    return new FeatureParts(() => (derived ??= derive(this.#made())), this.#shared)
  }
}

/**
 * The parts and limits of a new object of a feature, for the constructor of `Limitable`. `make(nativeService)` returns `{ native, … }`.
 * It is called immediately if a service is given. For the default service, given or not, it is called at first use, since a module
 * may construct its managers before the environment variables are set; if it throws, every call rejects with the error.
 */
function featureOn(service, make, shared) {
  let made = service === undefined || isLazy(service) ? undefined : make(nativeOf(service))
  const open = () => (made ??= makeOrReject(service ?? getDefaultService(), make))
  return { parts: new FeatureParts(open, shared), limits: service === undefined ? NO_LIMITS : limitsOf(service) }
}

function makeOrReject(service, make) {
  try {
    return make(nativeOf(service))
  } catch (error) {
    return new Proxy({ native: rejecting(error), error }, { get: (made, name) => made[name] ?? fail(error) })
  }
}

function fail(error) {
  throw error
}

/** Replaces a native object that could not be created: every call rejects, or throws if it returns no promise. */
function rejecting(error) {
  const get = (_, name) => {
    if (name === 'within') return () => native
    return SYNCHRONOUS.has(name) ? () => fail(error) : () => Promise.reject(error)
  }
  const native = new Proxy({}, { get })
  return native
}

module.exports = { defaultService, featureOn, rejecting, useDefaultService }
