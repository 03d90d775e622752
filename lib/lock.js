'use strict'

const { binding } = require('./bridge.js')
const { CinnabarError, isUnavailable } = require('./error.js')
const { limitsOf, madeOf } = require('./handle.js')
const { Parts, assertGoing, bind, limitsWithin, unlessAborted, withoutSignals } = require('./limits.js')
const { assertFunction, assertOptions } = require('./options.js')

const OPTIONS = ['prefix']

/** Locks between processes: a token under `lock:{resource}` that dies by itself. */
class DistributedLock {
  #made
  #limits

  constructor(service, options) {
    if (service instanceof Parts) {
      this.#made = () => service
      this.#limits = service.limits
      return
    }
    assertOptions(options, OPTIONS)
    this.#made = madeOf(service, (handle) => ({ native: new binding.Lock(handle, options) }))
    this.#limits = limitsOf(service)
  }

  get #native() {
    return this.#made().native
  }

  with(options) {
    const limits = limitsWithin(this.#limits, options)
    return bind(DistributedLock, this, { native: this.#native.within(limits), limits })
  }

  acquireLock(resource, ttlSeconds = 30) {
    return this.#native.acquire(resource, ttlSeconds)
  }

  releaseLock(resource, token) {
    return this.#native.release(resource, token)
  }

  extendLock(resource, token, ttlSeconds = 30) {
    return this.#native.extend(resource, token, ttlSeconds)
  }

  async withLock(resource, operation, ttlSeconds = 30) {
    assertFunction(operation, 'operation')
    const message = () => `Could not acquire lock for resource: ${resource}`
    const token = await this.#acquire(resource, ttlSeconds).catch((error) => {
      // Nobody holds a lock that could not be asked for.
      throw isUnavailable(error) ? new CinnabarError(message(), { ...error, cause: error }) : error
    })
    if (token === null) {
      throw new CinnabarError(message(), { code: 'E_LOCK_HELD', retryable: true })
    }
    const holder = this.#native.stay()
    try {
      return await operation(token)
    } finally {
      // What the operation did or threw is the answer. A release that fails costs no more than the lock's life.
      await holder.release(resource, token).catch(() => false)
    }
  }

  // A signal takes the caller away, not the lock that may already be its own: that one is released.
  async #acquire(resource, ttlSeconds) {
    if (this.#limits.signals.length === 0) return this.#native.acquire(resource, ttlSeconds, true)
    assertGoing(this.#limits)
    const acquiring = this.#native.within(withoutSignals(this.#limits)).acquire(resource, ttlSeconds, true)
    try {
      return await unlessAborted(this.#limits, acquiring)
    } catch (error) {
      acquiring.then((token) => token !== null && this.#native.stay().release(resource, token)).catch(() => {})
      throw error
    }
  }
}

module.exports = { DistributedLock }
