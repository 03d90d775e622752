'use strict'

const { binding } = require('./bridge.js')
const { undoIfAborted, withoutSignals } = require('./call-limits.js')
const { now } = require('./clock.js')
const { CinnabarError, argumentError, isUnavailable } = require('./error.js')
const { featureOn } = require('./feature.js')
const { Limitable, limitsOf, partsOf, readCall } = require('./limitable.js')
const { lostError, shortened } = require('./lock/errors.js')
const { LockGroup, sortedResources } = require('./lock/group.js')
const { Lock, endLock, leaseOf } = require('./lock/handle.js')
const { heldLocks } = require('./lock/list.js')
const { HOLD_OPTIONS, leftOf, readHold, readWait } = require('./lock/options.js')
const { replicate } = require('./lock/replicas.js')
const names = require('./option-names.js')
const { assertFunction, describe, ownOptions } = require('./options.js')
const { claimPrefix, defaultPrefixes } = require('./prefixes.js')

const OPTIONS = Object.keys(names.locks)
const ACQUIRE_OPTIONS = ['ttlSeconds', ...HOLD_OPTIONS, 'wait']
const RUN_OPTIONS = [...HOLD_OPTIONS, 'skipIfHeld', 'wait']

/** Locks between processes: a token with a ttl under `lock:{resource}`. */
class DistributedLock extends Limitable {
  constructor(service, options) {
    super(service, () => {
      const own = ownOptions(options, OPTIONS)
      const { prefix = defaultPrefixes.locks } = own
      const make = (native) => {
        const locks = new binding.Lock(native, own)
        claimPrefix(native, 'locks', prefix)
        return { native: locks }
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

  info(resource) {
    return this.#native.info(resource)
  }

  list() {
    return heldLocks(this.#native)
  }

  releaseLock(resource, token) {
    const lease = leaseOf(token)
    // Under `withLock` it is strict: a store that could not be reached must not look like a lost lock.
    const release = () => this.#native.release(resource, token, lease !== undefined)
    return lease?.release(release, this.#native.scope(resource)) ?? release()
  }

  extendLock(resource, token, ttlSeconds = 30) {
    const requestedAt = now()
    const lease = leaseOf(token)
    const extending = this.#native.extend(resource, token, ttlSeconds, lease !== undefined)
    return lease?.extend(extending, requestedAt, ttlSeconds, this.#native.scope(resource)) ?? extending
  }

  async acquire(resource, options) {
    const own = ownOptions(options, ACQUIRE_OPTIONS)
    const [hold, waiting] = [readHold(own), readWait(limitsOf(this), own.wait)]
    const lock = await this.#hold(await this.#handle(resource, hold, waiting), resource, hold, waiting)
    if (lock === null) throw heldError(resource)
    return lock
  }

  async acquireAll(resources, options) {
    const own = ownOptions(options, ACQUIRE_OPTIONS)
    const [hold, waiting] = [readHold(own), readWait(limitsOf(this), own.wait)]
    const names = sortedResources(resources)
    // All of them before the first request, so that an invalid resource is refused before anything is sent.
    const handles = await Promise.all(names.map((name) => this.#handle(name, hold, waiting)))
    const began = now()
    const locks = []
    try {
      for (const [at, name] of names.entries()) {
        const left = leftOf(waiting, now() - began)
        const isLimited = left.limits !== waiting.limits
        const handle = isLimited ? await this.#handle(name, hold, left) : handles[at]
        const lock = await this.#hold(handle, name, hold, left)
        if (lock === null) throw heldError(name)
        locks.push(lock)
      }
      const lost = locks.find(({ held }) => !held)
      if (lost) throw lostError(lost.resource, { retryable: true })
      return new LockGroup(locks)
    } catch (error) {
      await Promise.all(locks.map((lock) => lock.release()))
      throw error
    }
  }

  async withLock(resource, operation, ttlSeconds = 30, options) {
    assertFunction(operation, 'operation')
    assertNoOptions(ttlSeconds, 'options are the fourth argument')
    const [locks, { skipIfHeld = false, wait, ...own }] = readCall(this, options, RUN_OPTIONS)
    if (typeof skipIfHeld !== 'boolean')
      throw argumentError(`skipIfHeld must be true or false, got ${describe(skipIfHeld)}`)
    const [hold, waiting] = [readHold({ ...own, ttlSeconds }), readWait(limitsOf(locks), wait)]
    const handle = await locks.#handle(resource, hold, waiting)
    const lock = await locks.#hold(handle, resource, hold, waiting)
    if (lock !== null) return runLocked(lock, operation)
    if (!skipIfHeld) throw heldError(resource)
  }

  /** The native side of a lock that is to be acquired. Rejects for an invalid one. */
  async #handle(resource, { ttlSeconds, maxHoldSeconds, mode, heartbeatSeconds }, { limits }) {
    const isOwn = limits === limitsOf(this) && limits.signals.length === 0
    const native = isOwn ? this.#native : this.#native.within(withoutSignals(limits))
    return native.handle(resource, ttlSeconds, maxHoldSeconds, mode === 'read', heartbeatSeconds)
  }

  /** Acquires a lock that is renewed; `null` if another caller holds it, for as long as it is waited for. */
  async #hold(handle, resource, hold, { limits, waitMs, fair }) {
    let isWanted = true
    const began = now()
    // Behind those that wait already: of this process, and with `fair` of all.
    const acquire = async () => {
      if (waitMs === 0 || (!fair && !handle.isWaitedFor())) {
        if (await handle.acquire(false)) return true
      } else if (fair && (await this.#enter(handle))) {
        return true
      }
      const passed = now() - began
      const left = Math.floor(waitMs - passed)
      if (isWanted && left > 0) return handle.wait(left, fair, passed)
      if (fair) handle.leave(false)
      return false
    }
    const take = async () => {
      let isAcquired = false
      try {
        isAcquired = await acquire()
      } finally {
        if (!isAcquired) handle.end()
      }
      if (!isAcquired) return null
      const lock = new Lock(handle, resource, this.#native.scope(resource), hold)
      if (!lock.held) throw await lostBefore(lock)
      if (hold.replicas !== undefined) await replicate(lock, handle, hold.replicas)
      return lock
    }
    try {
      return await undoIfAborted(limits, take, (lock) => lock?.release())
    } catch (error) {
      isWanted = false
      handle.stopWaiting()
      // The store is unavailable, so this is not E_LOCK_HELD.
      throw isUnavailable(error) ? new CinnabarError(heldError(resource).message, { ...error, cause: error }) : error
    }
  }

  /** Enters the queue of those that wait for their turn; resolves to whether that has acquired the lock. */
  async #enter(handle) {
    try {
      return await handle.acquire(true)
    } catch (error) {
      handle.leave(true)
      throw error
    }
  }

  // A caller that aborts may already have acquired the lock, which is then released.
  async #acquire(resource, ttlSeconds, isStrict) {
    assertNoOptions(ttlSeconds, 'acquire() takes options')
    const limits = limitsOf(this)
    if (limits.signals.length === 0) return this.#native.acquire(resource, ttlSeconds, isStrict)
    let holder
    const take = async () => {
      // Awaited, since the native side may be one that rejects.
      holder = await this.#native.stay()
      try {
        return await this.#native.within(withoutSignals(limits)).acquire(resource, ttlSeconds, isStrict)
      } catch (error) {
        holder.leave()
        throw error
      }
    }
    const undo = (token) => (token === null ? holder.leave() : holder.release(resource, token))
    const token = await undoIfAborted(limits, take, undo)
    holder.leave()
    return token
  }
}

function assertNoOptions(ttlSeconds, hint) {
  if (typeof ttlSeconds !== 'object') return
  throw argumentError(`ttlSeconds must be a number of seconds, got ${describe(ttlSeconds)}; ${hint}`)
}

/** Runs an operation under a lock, and releases that. */
async function runLocked(lock, operation) {
  let result
  try {
    result = await operation(lock.token, lock)
  } catch (error) {
    // The operation's own error is the one that is seen.
    await lock.release()
    throw error
  }
  if (await endLock(lock)) throw lostError(lock.resource, { result })
  return result
}

/** The error for a lock that was granted so late that it had been lost by then. */
async function lostBefore(lock) {
  await lock.release()
  return lostError(lock.resource, { retryable: true })
}

function heldError(resource) {
  const message = `Could not acquire lock for resource: ${shortened(resource)}`
  return new CinnabarError(message, { code: 'E_LOCK_HELD', retryable: true })
}

module.exports = { DistributedLock }
