'use strict'

const { every, now } = require('../clock.js')
const { ChildLock, DISPOSE } = require('./child.js')
const { lostError } = require('./errors.js')

/** How often the event loop shows within `heartbeatSeconds` that it runs, and the shortest pause. */
const BEATS = 3
const LEAST_MS = 10

/**
 * The locks that this realm holds, by token: they may be extended or released by `extendLock` and `releaseLock` too, and through
 * another copy of this package, with which this map is shared.
 */
const leases = (globalThis[Symbol.for('cinnabar.leases')] ??= new Map())

let leaseIn, leftByChildren, isLost

/** A lock that was acquired, which the native side renews. */
class Lock {
  #native
  #resource
  #lease
  #controller
  #error
  #releasing
  #mode
  #children = 0
  /** Resolves when the last child is released; there are no more from when it is waited for. */
  #childless
  #lastChildLeft

  /** `scope` identifies the lock, and `lasting` its native side, which has acquired it. */
  constructor(lasting, resource, scope, { mode, heartbeatSeconds }) {
    this.#native = lasting
    this.#resource = resource
    this.#mode = mode
    this.#lease = new Lease(this, lasting, scope)
    leases.set(this.token, this.#lease)
    lasting.watch(() => this.#notice())
    if (heartbeatSeconds !== undefined) {
      const ms = Math.max((heartbeatSeconds * 1000) / BEATS, LEAST_MS)
      const stop = every(ms, () => lasting.beat() || stop(), false)
    }
  }

  get resource() {
    return this.#resource
  }

  get mode() {
    return this.#mode
  }

  get token() {
    return this.#native.token()
  }

  get fence() {
    return this.#native.fence()
  }

  get held() {
    const isHeld = this.#native.isValid()
    if (!isHeld) this.#notice()
    return isHeld
  }

  get signal() {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      watchClock(this.#controller.signal, () => this.held)
      if (this.#error) this.#controller.abort(this.#error)
      else this.#notice()
    }
    return this.#controller.signal
  }

  async extend(ttlSeconds = 30) {
    return this.#native.extend(ttlSeconds)
  }

  child() {
    if (this.#releasing !== undefined || this.#childless !== undefined || !this.held) throw lostError(this.#resource)
    this.#children++
    return new ChildLock(this, () => {
      if (--this.#children === 0) this.#lastChildLeft?.()
    })
  }

  #leftByChildren() {
    return (this.#childless ??= new Promise((resolve) => (this.#lastChildLeft = resolve)))
  }

  release() {
    return (this.#releasing ??= this.#release())
  }

  async #release() {
    if (this.#children > 0) await this.#leftByChildren()
    leases.delete(this.token)
    // `releaseLock` may be about to release it.
    if (this.#lease.releasing) await this.#lease.releasing.catch(() => {})
    if (this.#lease.isReleased) {
      this.#native.end()
      return 'released'
    }
    try {
      return (await this.#native.release()) ? 'released' : 'already-lost'
    } catch {
      return this.#native.isExpired() ? 'already-lost' : 'unknown'
    }
  }

  async [DISPOSE]() {
    await this.release()
  }

  /** Aborts the signal if the lock has been lost. */
  #notice() {
    if (this.#error || !this.#native.isLost()) return
    leases.delete(this.token)
    this.#error = lostError(this.#resource)
    this.#controller?.abort(this.#error)
  }

  static {
    leaseIn = (lock) => lock.#lease
    leftByChildren = async (lock) => {
      if (lock.#children > 0) await lock.#leftByChildren()
    }
    isLost = (lock) => {
      lock.#notice()
      return lock.#error !== undefined
    }
  }
}

/** What `extendLock` and `releaseLock` with the token of a lock do to it. */
class Lease {
  isReleased = false
  /** What `releaseLock` returned last. */
  releasing
  #lock
  #native
  #scope

  constructor(lock, native, scope) {
    this.#lock = lock
    this.#native = native
    this.#scope = scope
  }

  /**
   * Resolves to whether `extending` has extended the lock, and follows it. `scope` identifies the lock in that call: if another lock
   * could not be extended with this token, that says nothing about this one.
   */
  async extend(extending, requestedAt, ttlSeconds, scope) {
    if (scope !== this.#scope) return extending
    const number = this.#native.beginExtension(now() - requestedAt, ttlSeconds)
    // Not a ttl, so the call has failed.
    if (number === null) return extending
    let isExtended
    try {
      return (isExtended = await extending)
    } finally {
      this.#native.endExtension(number, isExtended)
      void this.#lock.held
    }
  }

  /** Resolves to whether `release()` has released the lock, and follows it. */
  release(release, scope) {
    if (scope !== this.#scope) return release()
    // Before it is sent: a renewal that follows it would find no lock.
    this.#native.beginRelease()
    return (this.releasing = this.#follow(release()))
  }

  async #follow(releasing) {
    let isReleased
    try {
      return (isReleased = await releasing)
    } finally {
      this.#native.endRelease(isReleased)
      if (isReleased) {
        this.isReleased = true
        leases.delete(this.#lock.token)
        this.#native.end()
      }
      void this.#lock.held
    }
  }
}

/**
 * Makes a signal look at the clock: after the process was stopped, code that checks it may run before the native side can have it
 * aborted. `isHeld()` aborts it then.
 */
function watchClock(signal, isHeld) {
  const aborted = Object.getOwnPropertyDescriptor(AbortSignal.prototype, 'aborted').get
  Object.defineProperties(signal, {
    aborted: { configurable: true, get: () => aborted.call(signal) || (!isHeld() && aborted.call(signal)) },
    throwIfAborted: {
      configurable: true,
      value: () => {
        if (signal.aborted) throw signal.reason
      },
    },
  })
}

/** What follows the lock with this token, if this realm holds it. */
function leaseOf(token) {
  return leases.get(token)
}

/** Releases a lock whose operation has ended; returns whether it was lost before. */
async function endLock(lock) {
  await leftByChildren(lock)
  const wasLost = isLost(lock)
  const outcome = await lock.release()
  return wasLost || (outcome === 'already-lost' && !leaseIn(lock).isReleased)
}

module.exports = { DISPOSE, Lock, endLock, leaseOf, watchClock }
