'use strict'

const { binding } = require('./bridge.js')
const { undoIfAborted, withoutSignals } = require('./call-limits.js')
const { now } = require('./clock.js')
const { CinnabarError, isUnavailable } = require('./error.js')
const { featureOn } = require('./feature.js')
const { Limitable, limitsOf, partsOf, readCall } = require('./limitable.js')
const { leaseOf, shortened, startLease } = require('./lock/lease.js')
const { unlimited } = require('./native-service.js')
const names = require('./option-names.js')
const { assertFunction, ownOptions } = require('./options.js')
const { claimPrefix, defaultPrefixes } = require('./prefixes.js')

const OPTIONS = Object.keys(names.locks)
const NO_OPTIONS = []

/** Locks between processes: a token with a ttl under `lock:{resource}`. */
class DistributedLock extends Limitable {
  constructor(service, options) {
    super(service, () => {
      const own = ownOptions(options, OPTIONS)
      const { prefix = defaultPrefixes.locks } = own
      const make = (native) => {
        const locks = new binding.Lock(native, own)
        claimPrefix(native, 'locks', prefix)
        return { native: locks, owner: unlimited(native) }
      }
      return featureOn(service, make)
    })
  }

  get #native() {
    return partsOf(this).native
  }

  acquireLock(resource, ttlSeconds = 30) {
    return this.#acquire(resource, ttlSeconds, false)
  }

  releaseLock(resource, token) {
    const lease = leaseOf(token)
    // Under `withLock` it is strict: a store that could not be reached must not look like a lost lock.
    const releasing = this.#native.release(resource, token, lease !== undefined)
    return lease?.release(releasing, this.#native.scope(resource)) ?? releasing
  }

  extendLock(resource, token, ttlSeconds = 30) {
    const requestedAt = now()
    const lease = leaseOf(token)
    const extending = this.#native.extend(resource, token, ttlSeconds, lease !== undefined)
    return lease?.extend(extending, requestedAt, ttlSeconds, this.#native.scope(resource)) ?? extending
  }

  async withLock(resource, operation, ttlSeconds = 30, options) {
    assertFunction(operation, 'operation')
    const [locks] = readCall(this, options, NO_OPTIONS)
    return locks.#runLocked(resource, operation, ttlSeconds)
  }

  async #runLocked(resource, operation, ttlSeconds) {
    const requestedAt = now()
    const message = () => `Could not acquire lock for resource: ${shortened(resource)}`
    const token = await this.#acquire(resource, ttlSeconds, true).catch((error) => {
      // The store is unavailable, so this is not E_LOCK_HELD.
      throw isUnavailable(error) ? new CinnabarError(message(), { ...error, cause: error }) : error
    })
    if (token === null) {
      throw new CinnabarError(message(), { code: 'E_LOCK_HELD', retryable: true })
    }
    const holder = this.#native.stay()
    const lock = { owner: partsOf(this).made.owner, resource, scope: this.#native.scope(resource) }
    const lease = startLease(lock, token, requestedAt, ttlSeconds)
    try {
      return await operation(token, lease.context)
    } finally {
      const isExpired = lease.end()
      // The operation's own result or error wins. If the release fails, the lock expires by its ttl.
      const isReleased = await holder.release(resource, token).catch(() => (isExpired ? false : undefined))
      if (isReleased === false && !lease.isReleased) holder.reportLost(resource)
    }
  }

  // A caller that aborts may already have acquired the lock, which is then released.
  async #acquire(resource, ttlSeconds, isStrict) {
    const limits = limitsOf(this)
    if (limits.signals.length === 0) return this.#native.acquire(resource, ttlSeconds, isStrict)
    return undoIfAborted(
      limits,
      () => this.#native.within(withoutSignals(limits)).acquire(resource, ttlSeconds, isStrict),
      (token) => token !== null && this.#native.stay().release(resource, token),
    )
  }
}

module.exports = { DistributedLock }
