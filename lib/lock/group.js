'use strict'

const { argumentError } = require('../error.js')
const { stringsOf } = require('../options.js')
const { DISPOSE, watchClock } = require('./handle.js')

/** Locks of several resources, which are held, lost and released together. */
class LockGroup {
  #locks
  #controller
  #releasing

  constructor(locks) {
    this.#locks = Object.freeze([...locks])
  }

  get locks() {
    return this.#locks
  }

  get held() {
    return this.#locks.every(({ held }) => held)
  }

  get signal() {
    if (this.#controller === undefined) {
      const controller = (this.#controller = new AbortController())
      watchClock(controller.signal, () => this.held)
      for (const { signal } of this.#locks) {
        const abort = () => controller.abort(signal.reason)
        if (signal.aborted) abort()
        else signal.addEventListener('abort', abort, { once: true })
      }
    }
    return this.#controller.signal
  }

  release() {
    return (this.#releasing ??= Promise.all(this.#locks.map((lock) => lock.release())))
  }

  async [DISPOSE]() {
    await this.release()
  }
}

/** The distinct resources of an array, in the order in which every caller acquires them, so that no two callers deadlock. */
function sortedResources(resources) {
  const names = stringsOf(resources, 'resources')
  if (names.length === 0) throw argumentError('resources must not be empty')
  return [...new Set(names)].sort()
}

module.exports = { LockGroup, sortedResources }
