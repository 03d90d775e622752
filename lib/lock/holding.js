'use strict'

const { CinnabarError } = require('../error.js')

// As they are when this is loaded: a test may put clocks of its own in their place later.
const { clearTimeout, performance, setTimeout } = globalThis
const LONGEST_MS = 2 ** 31 - 1

/** Locks that operations of this realm hold, by their tokens: whoever extends or releases one need not be who took it. */
const held = new Map()

/** A lock while an operation runs under it. */
class Holding {
  /** What the operation gets beside the token. */
  context
  /** Whether the operation has released it by itself. */
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

  /** Nobody is told of it any more. Answers whether its life is over. */
  end() {
    this.#stop()
    held.delete(this.#token)
    return performance.now() >= this.#until
  }

  // Most operations never ask for it.
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
    const message = `The lock was lost while its operation ran: ${this.#resource}`
    this.#error = new CinnabarError(message, { code: 'E_LOCK_LOST' })
    this.#controller?.abort(this.#error)
  }

  #stop() {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}

/** A lock that is held from now on, whose life began when it was asked for. */
function hold(resource, token, began, ttlSeconds) {
  const holding = new Holding(resource, token, began, ttlSeconds)
  held.set(token, holding)
  return holding
}

/** The operation of this realm that runs under the lock with this token. */
function holdingOf(token) {
  return held.get(token)
}

module.exports = { hold, holdingOf }
