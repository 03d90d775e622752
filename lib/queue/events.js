'use strict'

const { AsyncResource } = require('node:async_hooks')

const { CinnabarError, argumentError } = require('../error.js')
const { assertFunction, describe } = require('../options.js')
const { Delivery } = require('../pubsub/delivery.js')
const { complainOnce, guarded } = require('../pubsub/safe-callback.js')
const { listens, listensNoMore } = require('./dead-jobs.js')

// Events of the channel, a gap in it, and errors in this process.
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

/** Listeners for the events of a queue's jobs, in all processes. Subscribed only while there is a listener. */
class Events {
  #queue
  #open
  #listeners = new Map()
  #waits
  #listening
  #complain
  #scopeOf

  /** `open(told)` subscribes and returns the subscription; `scopeOf()` returns an id that is the same for all objects of this queue. */
  constructor(queue, open, waits, scopeOf) {
    this.#queue = queue
    this.#open = open
    this.#scopeOf = scopeOf
    this.#waits = waits
    this.#complain = complainOnce(`queue ${queue}`)
  }

  add(event, listener, once) {
    assertEvent(event)
    assertFunction(listener, 'listener')
    const run = guarded(AsyncResource.bind(listener), this.#complain)
    const before = this.#of(event)
    this.#listeners.set(event, [...before, { listener, run, once }])
    try {
      this.update()
    } catch (error) {
      this.#listeners.set(event, before)
      throw error
    }
  }

  /** Removes the most recently added instance of the listener. */
  remove(event, listener) {
    assertEvent(event)
    this.#drop(
      event,
      this.#of(event).findLast((one) => one.listener === listener),
    )
  }

  removeAll(event) {
    if (event === undefined) this.#listeners.clear()
    else this.#listeners.delete(event)
    this.update()
  }

  count(event) {
    return this.#of(event).length
  }

  /** Subscribes to the channel if there is a listener for it, and unsubscribes otherwise. */
  update() {
    const wanted = this.#waits.size > 0 || NAMES.some((name) => name !== 'error' && this.count(name) > 0)
    if (wanted) this.#listening ??= this.#listen()
    else this.close()
  }

  get scope() {
    return this.#scopeOf()
  }

  /** Whether a listener in this process is notified when this job dies. */
  hearsDeath(id) {
    return this.count('dead') > 0 || this.count('failed') > 0 || this.#waits.has(id)
  }

  #listen() {
    const listening = {}
    listening.heard = new Promise((resolve) => {
      listening.begin = () => {
        listening.isHeard = true
        resolve()
      }
    })
    listening.delivery = new Delivery(`queue ${this.#queue}`, (told) => this.#hear(listening, told), {
      onGap: (gap) => this.#miss(gap),
      onError: () => this.#end(listening),
    })
    listening.native = this.#open((ready) => listening.delivery.wake(ready))
    listens(this)
    return listening
  }

  /** Resolves once subscribed. */
  heard() {
    return this.#listening?.heard
  }

  get isHeard() {
    return this.#listening?.isHeard === true
  }

  close() {
    const listening = this.#listening
    this.#listening = undefined
    listensNoMore(this)
    listening?.delivery.close()
    listening?.native.end()
  }

  // The first notice is that the subscription is active; events follow.
  #hear(listening, happened) {
    if (happened === null) return listening.begin()
    for (const [event, details] of happened) this.#happen(event, details)
  }

  #happen(event, details) {
    this.#waits.hear(event, details)
    const { id, attempt, error } = details
    // Every failed attempt emits `failed`, including the last one.
    if (event === 'retrying' || (event === 'dead' && attempt > 0)) this.emit('failed', { id, attempt, error })
    this.emit(event, details)
  }

  #miss(gap) {
    this.#waits.lookNow()
    this.emit('gap', gap)
  }

  // The service was disconnected: no more events arrive, so pending waits reject.
  #end(listening) {
    if (this.#listening === listening) {
      this.#listening = undefined
      listensNoMore(this)
    }
    this.#waits.refuse(new CinnabarError('this service was disconnected', { code: 'E_CLOSED' }))
  }

  /** Calls the listeners; returns whether there was one. */
  emit(event, details) {
    const all = this.#of(event)
    for (const one of all) {
      if (one.once) this.#drop(event, one)
      one.run(details)
    }
    return all.length > 0
  }

  #drop(event, gone) {
    this.#listeners.set(
      event,
      this.#of(event).filter((one) => one !== gone),
    )
    this.update()
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
