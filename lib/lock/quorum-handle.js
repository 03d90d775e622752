'use strict'

const { lostError } = require('./errors.js')
const { DISPOSE, watchClock } = require('./handle.js')

let addTo

/** A lock that a quorum of servers has granted. It has one part per server; each part is renewed on its own. */
class QuorumLockHandle {
  #resource
  #quorum
  #parts = []
  #controller = new AbortController()
  #releasing

  constructor(resource, quorum) {
    this.#resource = resource
    this.#quorum = quorum
    watchClock(this.#controller.signal, () => this.held)
  }

  get resource() {
    return this.#resource
  }

  get held() {
    return this.#parts.filter(({ held }) => held).length >= this.#quorum
  }

  get signal() {
    return this.#controller.signal
  }

  async extend(ttlSeconds = 30) {
    const outcomes = await Promise.allSettled(this.#parts.map((part) => part.extend(ttlSeconds)))
    if (outcomes.filter(({ value }) => value === true).length >= this.#quorum) return true
    const failed = outcomes.find(({ status }) => status === 'rejected')
    if (failed) throw failed.reason
    return false
  }

  release() {
    return (this.#releasing ??= this.#release())
  }

  async #release() {
    const outcomes = await Promise.all(this.#parts.map((part) => part.release()))
    const count = (wanted) => outcomes.filter((outcome) => outcome === wanted).length
    if (count('released') >= this.#quorum) return 'released'
    return count('already-lost') > this.#parts.length - this.#quorum ? 'already-lost' : 'unknown'
  }

  async [DISPOSE]() {
    await this.release()
  }

  #add(part) {
    // The server granted it after the release.
    if (this.#releasing) return void part.release()
    this.#parts.push(part)
    part.signal.addEventListener('abort', () => this.#notice(), { once: true })
  }

  /** Aborts the signal if too few parts are left. */
  #notice() {
    const left = this.#parts.filter(({ signal }) => !signal.aborted).length
    if (left < this.#quorum && !this.#releasing) this.#controller.abort(lostError(this.#resource))
  }

  static {
    addTo = (handle, part) => handle.#add(part)
  }
}

module.exports = { QuorumLockHandle, addTo: (handle, part) => addTo(handle, part) }
