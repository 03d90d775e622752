'use strict'

const { AsyncResource } = require('node:async_hooks')

const { CinnabarError, argumentError } = require('../error.js')
const { assertFunction, describe } = require('../options.js')
const { Delivery } = require('../pubsub/delivery.js')
const { logOnce, safeCallback } = require('../pubsub/safe-callback.js')
const { addListeners, removeListeners } = require('./dead-jobs.js')

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
  #pendingResults
  #subscription
  #logError
  #scopeOf

  /**
   * `open(onReady)` subscribes and returns the subscription; `scopeOf()` returns an id that is the same for all objects of this
   * queue.
   */
  constructor(queue, open, pendingResults, scopeOf) {
    this.#queue = queue
    this.#open = open
    this.#scopeOf = scopeOf
    this.#pendingResults = pendingResults
    let log
    // Only the native side checks the name, and one that is no string may not be convertible to one.
    this.#logError = (error) => (log ??= logOnce(`queue ${queue}`))(error)
  }

  add(event, listener, once) {
    assertEvent(event)
    assertFunction(listener, 'listener')
    const run = safeCallback(AsyncResource.bind(listener), this.#logError)
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
    assertFunction(listener, 'listener')
    this.#drop(
      event,
      this.#of(event).findLast((one) => one.listener === listener),
    )
  }

  removeAll(event) {
    if (event === undefined) this.#listeners.clear()
    else {
      assertEvent(event)
      this.#listeners.delete(event)
    }
    this.update()
  }

  count(event) {
    assertEvent(event)
    return this.#of(event).length
  }

  /** Subscribes to the channel if there is a listener for it, and unsubscribes otherwise. */
  update() {
    const isNeeded = this.#pendingResults.size > 0 || NAMES.some((name) => name !== 'error' && this.count(name) > 0)
    if (isNeeded) this.#subscription ??= this.#subscribe()
    else this.close()
  }

  get scope() {
    return this.#scopeOf()
  }

  /** Whether a listener in this process is notified when this job dies. */
  notifiesOfDeath(id) {
    return this.count('dead') > 0 || this.count('failed') > 0 || this.#pendingResults.has(id)
  }

  #subscribe() {
    const subscription = {}
    subscription.active = new Promise((resolve) => {
      subscription.begin = () => {
        subscription.isActive = true
        resolve()
      }
    })
    subscription.delivery = new Delivery(`queue ${this.#queue}`, (events) => this.#receive(subscription, events), {
      onGap: (gap) => this.#handleGap(gap),
      onError: () => this.#end(subscription),
    })
    subscription.native = this.#open((ready) => subscription.delivery.wake(ready))
    addListeners(this)
    return subscription
  }

  /** Resolves once subscribed. */
  subscribed() {
    return this.#subscription?.active
  }

  get isSubscribed() {
    return this.#subscription?.isActive === true
  }

  close() {
    const subscription = this.#subscription
    this.#subscription = undefined
    removeListeners(this)
    subscription?.delivery.close()
    subscription?.native.end()
  }

  // The first notice is that the subscription is active; events follow.
  #receive(subscription, events) {
    if (events === null) return subscription.begin()
    for (const [event, details] of events) this.#handle(event, details)
  }

  #handle(event, details) {
    this.#pendingResults.handleEvent(event, details)
    const { id, attempt, error } = details
    // Every failed attempt emits `failed`, including the last one.
    if (event === 'retrying' || (event === 'dead' && attempt > 0)) this.emit('failed', { id, attempt, error })
    this.emit(event, details)
  }

  #handleGap(gap) {
    this.#pendingResults.pollAll()
    this.emit('gap', gap)
  }

  // The service was disconnected: no more events arrive, so pending calls of `finished()` reject.
  #end(subscription) {
    if (this.#subscription === subscription) {
      this.#subscription = undefined
      removeListeners(this)
    }
    this.#pendingResults.rejectAll(new CinnabarError('this service was disconnected', { code: 'E_CLOSED' }))
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

  #drop(event, dropped) {
    this.#listeners.set(
      event,
      this.#of(event).filter((one) => one !== dropped),
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
