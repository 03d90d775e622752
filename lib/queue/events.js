'use strict'

const { AsyncResource } = require('node:async_hooks')

const { CinnabarError, argumentError } = require('../error.js')
const { assertFunction, describe } = require('../options.js')

// Those of the channel, what is missing there, and what goes wrong in this process.
const NAMES = [
  'added',
  'active',
  'progress',
  'completed',
  'failed',
  'retrying',
  'stalled',
  'dead',
  'removed',
  'retried',
  'gap',
  'error',
]

/** Who listens to what happens to the jobs of a queue, in whatever process. Hears of it only while somebody listens. */
class Events {
  #queue
  #open
  #listeners = new Map()
  #waits
  #listening
  #complained = false

  /** `open(told)` begins to listen and answers what ends it. */
  constructor(queue, open, waits) {
    this.#queue = queue
    this.#open = open
    this.#waits = waits
  }

  add(event, listener, once) {
    assertEvent(event)
    assertFunction(listener, 'listener')
    const run = AsyncResource.bind(listener)
    const before = this.#of(event)
    this.#listeners.set(event, [...before, { listener, run, once }])
    try {
      this.update()
    } catch (error) {
      this.#listeners.set(event, before)
      throw error
    }
  }

  /** Takes the newest such listener away. */
  remove(event, listener) {
    assertEvent(event)
    const all = this.#of(event)
    const at = all.findLastIndex((one) => one.listener === listener)
    if (at >= 0) this.#listeners.set(event, all.toSpliced(at, 1))
    this.update()
  }

  removeAll(event) {
    if (event === undefined) this.#listeners.clear()
    else this.#listeners.delete(event)
    this.update()
  }

  count(event) {
    return this.#of(event).length
  }

  /** Listens to the channel if anybody wants what comes over it, and no longer. */
  update() {
    const wanted = this.#waits.size > 0 || NAMES.some((name) => name !== 'error' && this.count(name) > 0)
    if (wanted) this.#listening ??= this.#listen()
    else this.close()
  }

  #listen() {
    const listening = {}
    listening.heard = new Promise((resolve) => (listening.begin = resolve))
    listening.native = this.#open((notice) => this.#listening === listening && this.#hear(listening, notice))
    return listening
  }

  /** When it hears what happens; at once where it does already. */
  heard() {
    return this.#listening?.heard
  }

  close() {
    this.#listening?.native.end()
    this.#listening = undefined
  }

  #hear(listening, [what, ...details]) {
    if (what === 'events') details.forEach((happened) => this.#happen(...happened))
    else if (what === 'listening') listening.begin()
    else if (what === 'gap') this.#miss(details[0])
    else this.#end()
  }

  #happen(event, details) {
    this.#waits.hear(event, details)
    const { id, attempt, error } = details
    // Each attempt that failed is told as such, whatever follows.
    if (event === 'retrying' || (event === 'dead' && attempt > 0)) this.emit('failed', { id, attempt, error })
    this.emit(event, details)
  }

  #miss(missed) {
    this.#waits.lookNow()
    this.emit('gap', { missed: missed ?? 'unknown' })
  }

  // The service was disconnected. Whoever listens hears nothing more, and whoever waits waits in vain.
  #end() {
    this.#listening = undefined
    this.#waits.refuse(new CinnabarError('this service was disconnected', { code: 'E_CLOSED' }))
  }

  /** Calls who listens; answers whether anybody did. */
  emit(event, details) {
    const all = this.#of(event)
    for (const one of all) {
      if (one.once) this.remove(event, one.listener)
      this.#call(event, one.run, details)
    }
    return all.length > 0
  }

  // A listener that fails must not keep the others from hearing, and a flood of failures must not flood the log.
  #call(event, run, details) {
    const complain = (error) => {
      if (this.#complained) return
      this.#complained = true
      const queue = JSON.stringify(this.#queue)
      console.error(`A listener to ${event} of the queue ${queue} failed (further failures are not shown):`, error)
    }
    try {
      const result = run(details)
      if (typeof result?.then === 'function') result.then(undefined, complain)
    } catch (error) {
      complain(error)
    }
  }

  #of(event) {
    return this.#listeners.get(event) ?? []
  }
}

function assertEvent(event) {
  if (NAMES.includes(event)) return
  const got = typeof event === 'string' ? JSON.stringify(event.slice(0, 40)) : describe(event)
  throw argumentError(`a queue has no event ${got}; its events: ${NAMES.join(', ')}`)
}

module.exports = { Events }
