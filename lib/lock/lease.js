'use strict'

const { later, now } = require('../clock.js')
const { CinnabarError } = require('../error.js')
const { keepAlive } = require('../keep-alive.js')

// Of a resource in a message.
const MOST_CHARACTERS = 200

/**
 * The leases of running operations in this realm, by token: they may be extended or released through another object, and through
 * another copy of this package, with which this map is shared.
 */
const leases = (globalThis[Symbol.for('cinnabar.leases')] ??= new Map())

/** The lease of a lock while an operation runs under it. */
class Lease {
  /** The second argument of the operation. */
  context
  /** Whether the operation released the lock itself. */
  isReleased = false
  #resource
  #scope
  #token
  #expiresAt
  #controller
  #owner
  #stopTimer
  #error

  constructor({ owner, resource, scope }, token, requestedAt, ttlSeconds) {
    this.#owner = owner
    this.#resource = resource
    this.#scope = scope
    this.#token = token
    this.#expiresAt = requestedAt + ttlSeconds * 1000
    const getSignal = () => this.#signal()
    this.context = Object.freeze({
      get signal() {
        return getSignal()
      },
    })
  }

  /**
   * Resolves to whether `extending` has extended the lock, and follows it. `scope` identifies the lock in that call: if another lock
   * could not be extended with this token, that says nothing about this one.
   */
  async extend(extending, requestedAt, ttlSeconds, scope) {
    const isExtended = await extending
    if (isExtended) this.#expiresAt = requestedAt + ttlSeconds * 1000
    else if (scope === this.#scope) this.#lose()
    if (this.#stopTimer !== undefined) this.#watch()
    return isExtended
  }

  /** Resolves to whether `releasing` has released the lock, and follows it. */
  async release(releasing, scope) {
    const isReleased = await releasing
    if (isReleased) {
      this.isReleased = true
      this.#stop()
    } else if (scope === this.#scope) this.#lose()
    return isReleased
  }

  /** Stops watching the lock. Returns whether its ttl has passed. */
  end() {
    this.#stop()
    leases.delete(this.#token)
    return now() >= this.#expiresAt
  }

  // Created lazily: most operations do not use the signal.
  #signal() {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#error) this.#controller.abort(this.#error)
      else if (leases.get(this.#token) === this && !this.isReleased) this.#watch()
    }
    return this.#controller.signal
  }

  #watch() {
    this.#stop()
    const leftMs = this.#expiresAt - now()
    if (leftMs <= 0) return this.#lose()
    const stops = [later(Math.ceil(leftMs), () => this.#watch(), false), keepAlive(this.#owner)]
    this.#stopTimer = () => stops.forEach((stop) => stop())
  }

  #lose() {
    if (this.#error || this.isReleased) return
    this.#stop()
    const message = `The lock was lost while the operation was running: ${shortened(this.#resource)}`
    this.#error = new CinnabarError(message, { code: 'E_LOCK_LOST' })
    this.#controller?.abort(this.#error)
  }

  #stop() {
    this.#stopTimer?.()
    this.#stopTimer = undefined
  }
}

/**
 * Registers the lease of a lock, `{ owner, resource, scope }`, that was acquired through the native service `owner`. Its ttl is
 * counted from `requestedAt`, the time of the request.
 */
function startLease(lock, token, requestedAt, ttlSeconds) {
  const lease = new Lease(lock, token, requestedAt, ttlSeconds)
  leases.set(token, lease)
  return lease
}

/** A resource for a message: it may come from a client, and be 64 KiB long. */
function shortened(resource) {
  return resource.length > MOST_CHARACTERS ? `${resource.slice(0, MOST_CHARACTERS)}…` : resource
}

/** The lease with this token, if an operation of this realm runs under it. */
function leaseOf(token) {
  return leases.get(token)
}

module.exports = { leaseOf, shortened, startLease }
