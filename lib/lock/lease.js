'use strict'

const { later, now } = require('../clock.js')
const { CinnabarError } = require('../error.js')
const { keepAlive } = require('../keep-alive.js')

/**
 * Locks held by operations of this realm, by token: they may be extended or released through another object, and through another
 * copy of this package, with which this is shared.
 */
const held = (globalThis[Symbol.for('cinnabar.held')] ??= new Map())

/** A lock held while an operation runs. */
class Holding {
  /** The second argument of the operation. */
  context
  /** Whether the operation released the lock itself. */
  isGivenBack = false
  #resource
  #scope
  #token
  #until
  #controller
  #owner
  #endTimer
  #error

  constructor({ owner, resource, scope }, token, began, ttlSeconds) {
    this.#owner = owner
    this.#resource = resource
    this.#scope = scope
    this.#token = token
    this.#until = began + ttlSeconds * 1000
    const getSignal = () => this.#signal()
    this.context = Object.freeze({
      get signal() {
        return getSignal()
      },
    })
  }

  /** `scope` identifies the lock that was asked for: that another one is not held with this token says nothing about this one. */
  async extendedBy(extending, began, ttlSeconds, scope) {
    const isExtended = await extending
    if (isExtended) this.#until = began + ttlSeconds * 1000
    else if (scope === this.#scope) this.#lose()
    if (this.#endTimer !== undefined) this.#watch()
    return isExtended
  }

  async givenBackBy(releasing, scope) {
    const isReleased = await releasing
    if (isReleased) {
      this.isGivenBack = true
      this.#stop()
    } else if (scope === this.#scope) this.#lose()
    return isReleased
  }

  /** Stops watching the lock. Returns whether its ttl has passed. */
  end() {
    this.#stop()
    held.delete(this.#token)
    return now() >= this.#until
  }

  // Created lazily: most operations do not use the signal.
  #signal() {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#error) this.#controller.abort(this.#error)
      else if (held.get(this.#token) === this && !this.isGivenBack) this.#watch()
    }
    return this.#controller.signal
  }

  #watch() {
    this.#stop()
    const left = this.#until - now()
    if (left <= 0) return this.#lose()
    const [endTimer, letGo] = [later(Math.ceil(left), () => this.#watch(), false), keepAlive(this.#owner)]
    this.#endTimer = () => {
      endTimer()
      letGo()
    }
  }

  #lose() {
    if (this.#error || this.isGivenBack) return
    this.#stop()
    const message = `The lock was lost while the operation was running: ${this.#resource}`
    this.#error = new CinnabarError(message, { code: 'E_LOCK_LOST' })
    this.#controller?.abort(this.#error)
  }

  #stop() {
    this.#endTimer?.()
    this.#endTimer = undefined
  }
}

/**
 * Registers a lock as held, `{ owner, resource, scope }`: by a call of the native service `owner`. Its ttl is counted from `began`,
 * when it was requested.
 */
function hold(lock, token, began, ttlSeconds) {
  const holding = new Holding(lock, token, began, ttlSeconds)
  held.set(token, holding)
  return holding
}

/** The registered lock with this token, if an operation of this realm holds it. */
function holdingOf(token) {
  return held.get(token)
}

module.exports = { hold, holdingOf }
