'use strict'

const { lostError } = require('./errors.js')

const DISPOSE = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')

/** A handle of a lock for code that releases what it gets: the lock itself is released once all handles are. */
class ChildLock {
  #lock
  #leave
  #releasing

  /** `leave()` ends its share of the lock. */
  constructor(lock, leave) {
    this.#lock = lock
    this.#leave = leave
  }

  get resource() {
    return this.#lock.resource
  }

  get mode() {
    return this.#lock.mode
  }

  get token() {
    return this.#lock.token
  }

  get fence() {
    return this.#lock.fence
  }

  get held() {
    return this.#releasing === undefined && this.#lock.held
  }

  get signal() {
    return this.#lock.signal
  }

  async extend(ttlSeconds) {
    return this.#releasing === undefined && this.#lock.extend(ttlSeconds)
  }

  child() {
    if (this.#releasing !== undefined) throw lostError(this.resource)
    return this.#lock.child()
  }

  release() {
    return (this.#releasing ??= this.#release())
  }

  async #release() {
    const outcome = this.#lock.held ? 'released' : 'already-lost'
    this.#leave()
    return outcome
  }

  async [DISPOSE]() {
    await this.release()
  }
}

module.exports = { ChildLock, DISPOSE }
