'use strict'

const { CinnabarError } = require('../error.js')

// Captured when the module loads, because tests may install fake clocks later.
const { clearTimeout, performance, setTimeout } = globalThis
const LONGEST_MS = 2 ** 31 - 1

/** Locks held by operations of this realm, by token: they may be extended or released through another object. */
const held = new Map()

/** A lock held while an operation runs. */
class Holding {
  /** The second argument of the operation. */
  context
  /** Whether the operation released the lock itself. */
  isGivenBack = false
  #resource
  #token
  #until
  #controller
  #timer
  #error

  constructor(resource, token, began, ttlSeconds) {
    this.#resource = resource
    this.#token = token
    this.#until = began + ttlSeconds * 1000
    const getSignal = () => this.#signal()
    this.context = Object.freeze({
      get signal() {
        return getSignal()
      },
    })
  }

  async extendedBy(extending, began, ttlSeconds) {
    const isExtended = await extending
    if (isExtended) this.#until = began + ttlSeconds * 1000
    else this.#lose()
    if (this.#timer !== undefined) this.#watch()
    return isExtended
  }

  async givenBackBy(releasing) {
    const isReleased = await releasing
    if (isReleased) {
      this.isGivenBack = true
      this.#stop()
    } else this.#lose()
    return isReleased
  }

  /** Stops watching the lock. Returns whether its ttl has passed. */
  end() {
    this.#stop()
    held.delete(this.#token)
    return performance.now() >= this.#until
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
    clearTimeout(this.#timer)
    const left = this.#until - performance.now()
    if (left <= 0) return this.#lose()
    this.#timer = setTimeout(() => this.#watch(), Math.min(Math.ceil(left), LONGEST_MS))
  }

  #lose() {
    if (this.#error || this.isGivenBack) return
    this.#stop()
    const message = `The lock was lost while the operation was running: ${this.#resource}`
    this.#error = new CinnabarError(message, { code: 'E_LOCK_LOST' })
    this.#controller?.abort(this.#error)
  }

  #stop() {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}

/** Registers a lock as held. Its ttl is counted from `began`, when it was requested. */
function hold(resource, token, began, ttlSeconds) {
  const holding = new Holding(resource, token, began, ttlSeconds)
  held.set(token, holding)
  return holding
}

/** The registered lock with this token, if an operation of this realm holds it. */
function holdingOf(token) {
  return held.get(token)
}

module.exports = { hold, holdingOf }
