'use strict'

const { NO_LIMITS, limitsWithin, throwIfAborted } = require('../call-limits.js')
const { now } = require('../clock.js')
const { CinnabarError, argumentError, isUnavailable } = require('../error.js')
const { DistributedLock } = require('../lock.js')
const { nativeOf, storeIdOf } = require('../native-service.js')
const { assertFunction, assertMilliseconds, elementsOf, ownOptions } = require('../options.js')
const { pause } = require('../pause.js')
const { lostError, shortened } = require('./errors.js')
const { QuorumLockHandle, addTo } = require('./quorum-handle.js')

const ACQUIRE_OPTIONS = ['ttlSeconds', 'maxHoldSeconds', 'wait']
const RUN_OPTIONS = ['maxHoldSeconds', 'wait']
const WAIT_OPTIONS = ['timeoutMs', 'signal']
const WAIT_MS = 30_000
const FEWEST = 3
// The longest a server may take to reply, so that a silent one does not use up the ttl.
const MOST_PATIENCE_MS = 1000
// The average pause between two attempts. It is random, so that callers which each got a minority of the servers do not collide again.
const PAUSE_MS = 100

/** Locks that a majority of independent servers has to grant: the Redlock algorithm. */
class QuorumLock {
  #servers
  #quorum

  constructor(services, options) {
    this.#servers = readServices(services).map((service) => new DistributedLock(service, options))
    this.#quorum = Math.floor(this.#servers.length / 2) + 1
  }

  async acquire(resource, options) {
    const { ttlSeconds = 30, maxHoldSeconds, wait } = ownOptions(options, ACQUIRE_OPTIONS)
    const { limits, waitMs } = readWait(wait)
    const until = now() + waitMs
    for (;;) {
      throwIfAborted(limits)
      const { handle, error } = await this.#attempt(resource, { ttlSeconds, maxHoldSeconds }, limits)
      if (handle) return handle
      const pauseMs = PAUSE_MS * (0.5 + Math.random())
      if (!error.retryable || now() + pauseMs >= until) throw error
      await pause(pauseMs, limits)
    }
  }

  async withLock(resource, operation, ttlSeconds = 30, options) {
    assertFunction(operation, 'operation')
    const lock = await this.acquire(resource, { ttlSeconds, ...ownOptions(options, RUN_OPTIONS) })
    let result
    try {
      result = await operation(lock)
    } catch (error) {
      // The operation's own error is the one that is seen.
      await lock.release()
      throw error
    }
    const isLost = lock.signal.aborted
    if ((await lock.release()) === 'already-lost' || isLost) throw lostError(resource, { result })
    return result
  }

  /** Asks all servers at once: `{ handle }` once a quorum has granted the lock, `{ error }` once it cannot any more. */
  async #attempt(resource, { ttlSeconds, maxHoldSeconds }, { signals }) {
    const handle = new QuorumLockHandle(resource, this.#quorum)
    const timeoutMs = patienceFor(ttlSeconds)
    const options = { ttlSeconds, ...(maxHoldSeconds !== undefined && { maxHoldSeconds }) }
    let granted = 0
    const errors = []
    await new Promise((resolve) => {
      for (const locks of this.#servers) {
        const limited = signals.reduce((limited, signal) => limited.with({ signal }), locks.with({ timeoutMs }))
        const acquired = limited.acquire(resource, options).then(
          (part) => {
            granted += 1
            addTo(handle, part)
          },
          (error) => errors.push(error),
        )
        acquired.then(() => {
          if (granted >= this.#quorum || errors.length > this.#servers.length - this.#quorum) resolve()
        })
      }
    })
    if (granted >= this.#quorum && handle.held) return { handle }
    await handle.release()
    return {
      error: granted >= this.#quorum ? lostError(resource, { retryable: true }) : this.#errorFor(resource, errors),
    }
  }

  #errorFor(resource, errors) {
    const held = errors.filter(({ code }) => code === 'E_LOCK_HELD')
    const other = errors.find((error) => !held.includes(error) && !isUnavailable(error))
    if (other) return other
    if (held.length > this.#servers.length - this.#quorum) return held[0]
    const cause = errors.find((error) => !held.includes(error))
    const message = `Could not acquire lock for resource: ${shortened(resource)}: ${errors.length} of ${this.#servers.length} servers did not grant it`
    return new CinnabarError(message, { code: 'E_UNAVAILABLE', retryable: true, cause })
  }
}

function readServices(services) {
  const list = elementsOf(services, 'services', ' of RedisService')
  if (list.length < FEWEST) throw argumentError(`services must contain at least ${FEWEST}, got ${list.length}`)
  const stores = new Set(list.map((service) => storeIdOf(nativeOf(service))))
  if (stores.size < list.length) throw argumentError('each of services must use a different server')
  return list
}

function readWait(wait) {
  if (wait === undefined) return { limits: NO_LIMITS, waitMs: 0 }
  const { timeoutMs = WAIT_MS, signal } = ownOptions(wait, WAIT_OPTIONS, 'wait.')
  assertMilliseconds(timeoutMs, 'wait.timeoutMs')
  return { limits: signal === undefined ? NO_LIMITS : limitsWithin(NO_LIMITS, { signal }), waitMs: timeoutMs }
}

function patienceFor(ttlSeconds) {
  // An invalid ttl is an error of each server.
  return typeof ttlSeconds === 'number' && ttlSeconds > 0
    ? Math.max(Math.min(ttlSeconds * 100, MOST_PATIENCE_MS), 1)
    : MOST_PATIENCE_MS
}

module.exports = { QuorumLock }
