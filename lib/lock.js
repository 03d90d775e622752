'use strict'

const { binding } = require('./bridge.js')
const { Parts, assertGoing, bind, limitsWithin, unlessAborted, withoutSignals } = require('./call-options.js')
const { now } = require('./clock.js')
const { CinnabarError, isUnavailable } = require('./error.js')
const { hold, holdingOf } = require('./lock/lease.js')
const { derivedOf, limitsOf, madeOf, originOf } = require('./native-service.js')
const { assertFunction, ownOptions } = require('./options.js')
const { claimPrefix } = require('./prefixes.js')

const OPTIONS = ['prefix']

/** Locks between processes: a token with a ttl under `lock:{resource}`. */
class DistributedLock {
  #made
  #limits

  constructor(service, options) {
    const parts = Parts.of(service, new.target)
    if (parts) {
      this.#made = parts.made
      this.#limits = parts.limits
      return
    }
    const own = ownOptions(options, OPTIONS)
    const { prefix = 'lock:' } = own
    this.#made = madeOf(service, (handle) => {
      const native = new binding.Lock(handle, own)
      claimPrefix(handle, 'locks', prefix)
      return { native, origin: originOf(handle) }
    })
    this.#limits = limitsOf(service)
  }

  get #native() {
    return this.#made().native
  }

  with(options) {
    const limits = limitsWithin(this.#limits, options)
    const made = derivedOf(this.#made, ({ native, origin }) => ({ native: native.within(limits), origin }))
    return bind(DistributedLock, this, { made, limits })
  }

  acquireLock(resource, ttlSeconds = 30) {
    return this.#acquire(resource, ttlSeconds, false)
  }

  releaseLock(resource, token) {
    // That a lock under `withLock` could not be asked must not look like its loss.
    const holding = holdingOf(token)
    const releasing = this.#native.release(resource, token, holding !== undefined)
    return holding?.givenBackBy(releasing, this.#native.scope(resource)) ?? releasing
  }

  extendLock(resource, token, ttlSeconds = 30) {
    const began = now()
    const holding = holdingOf(token)
    const extending = this.#native.extend(resource, token, ttlSeconds, holding !== undefined)
    return holding?.extendedBy(extending, began, ttlSeconds, this.#native.scope(resource)) ?? extending
  }

  async withLock(resource, operation, ttlSeconds = 30) {
    assertFunction(operation, 'operation')
    const began = now()
    const message = () => `Could not acquire lock for resource: ${resource}`
    const token = await this.#acquire(resource, ttlSeconds, true).catch((error) => {
      // The store is unavailable, so this is not E_LOCK_HELD.
      throw isUnavailable(error) ? new CinnabarError(message(), { ...error, cause: error }) : error
    })
    if (token === null) {
      throw new CinnabarError(message(), { code: 'E_LOCK_HELD', retryable: true })
    }
    const holder = this.#native.stay()
    const lock = { owner: this.#made().origin, resource, scope: this.#native.scope(resource) }
    const holding = hold(lock, token, began, ttlSeconds)
    try {
      return await operation(token, holding.context)
    } finally {
      const isOver = holding.end()
      // The operation's own result or error wins. If the release fails, the lock expires by its ttl.
      const released = await holder.release(resource, token).catch(() => (isOver ? false : undefined))
      if (released === false && !holding.isGivenBack) holder.tellLost(resource)
    }
  }

  // An aborted caller may already have acquired the lock, which is then released.
  async #acquire(resource, ttlSeconds, isStrict) {
    if (this.#limits.signals.length === 0) return this.#native.acquire(resource, ttlSeconds, isStrict)
    assertGoing(this.#limits)
    const acquiring = this.#native.within(withoutSignals(this.#limits)).acquire(resource, ttlSeconds, isStrict)
    try {
      return await unlessAborted(this.#limits, acquiring)
    } catch (error) {
      acquiring.then((token) => token !== null && this.#native.stay().release(resource, token)).catch(() => {})
      throw error
    }
  }
}

module.exports = { DistributedLock }
