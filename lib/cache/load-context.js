'use strict'

const { overdueError } = require('../await-load.js')
const { now } = require('../clock.js')
const { argumentError } = require('../error.js')
const { stringsOf } = require('../options.js')
const { assertTtl, withFiniteTtl } = require('../ttl.js')
const { MOST_TAGS, StoreOptions } = require('./store-options.js')

/** What a load gets as its second argument: what is known of the value that it replaces, and a say in how its own is stored. */
class LoadContext {
  #current
  #ownMs
  #readStale
  #openTags
  #startedAt = now()
  #controller
  #stop = () => {}
  #ttl
  #isSkipped = false

  constructor(current, ownMs, { readStale, openTags }) {
    this.#current = current
    this.#ownMs = ownMs
    this.#readStale = readStale
    this.#openTags = openTags
  }

  get signal() {
    if (!this.#controller) {
      this.#controller = new AbortController()
      const abort = () => this.#controller.abort(overdueError())
      if (now() - this.#startedAt > this.#ownMs) abort()
      else if (!this.#current.ended) this.#stop = this.#current.whenLate((isLast) => isLast && abort())
    }
    return this.#controller.signal
  }

  stale() {
    return this.#readStale()
  }

  setTtl(seconds) {
    const { ttl } = withFiniteTtl({ ttl: seconds })
    assertTtl(ttl, 'ttl')
    this.#ttl = ttl
  }

  skip() {
    this.#isSkipped = true
  }

  async addTags(tags) {
    const own = [...new Set(stringsOf(tags, 'tags'))]
    this.#add(own)
    await this.#openTags(own)
  }

  #add(tags) {
    const { wanted } = this.#current
    // Its value is not stored, as that of a load of the key that runs within another one.
    if (!wanted) return
    const more = wanted.and(new StoreOptions(wanted.ttl, tags, wanted.stale, wanted.grace))
    if (!more) throw argumentError(`a value takes ${MOST_TAGS} tags at most, with those that the load adds`)
    this.#current.wanted = more
  }

  /** Ends the load. Returns `{ ttl, isSkipped }`: what it said about its value. */
  end() {
    this.#stop()
    return { ttl: this.#ttl, isSkipped: this.#isSkipped }
  }
}

module.exports = { LoadContext }
