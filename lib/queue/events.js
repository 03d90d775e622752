'use strict'

const { AsyncResource } = require('node:async_hooks')

const { CinnabarError, argumentError } = require('../error.js')
const { assertFunction, describe } = require('../options.js')
const { Delivery } = require('../pubsub/delivery.js')
const { complainOnce, guarded } = require('../pubsub/guard.js')
const { listens, listensNoMore } = require('./deaths.js')

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
  #complain
  #scopeOf

  /** `open(told)` begins to listen and answers what ends it; `scopeOf()` is what is the same for all who listen to this queue. */
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

  /** Takes the newest such listener away. */
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

  /** Listens to the channel if anybody wants what comes over it, and no longer. */
  update() {
    const wanted = this.#waits.size > 0 || NAMES.some((name) => name !== 'error' && this.count(name) > 0)
    if (wanted) this.#listening ??= this.#listen()
    else this.close()
  }

  get scope() {
    return this.#scopeOf()
  }

  /** Whether somebody here hears of it when this job dies. */
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

  /** When it hears what happens; at once where it does already. */
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

  // First that it is heard what happens, then what does.
  #hear(listening, happened) {
    if (happened === null) return listening.begin()
    for (const [event, details] of happened) this.#happen(event, details)
  }

  #happen(event, details) {
    this.#waits.hear(event, details)
    const { id, attempt, error } = details
    // Each attempt that failed is told as such, whatever follows.
    if (event === 'retrying' || (event === 'dead' && attempt > 0)) this.emit('failed', { id, attempt, error })
    this.emit(event, details)
  }

  #miss(gap) {
    this.#waits.lookNow()
    this.emit('gap', gap)
  }

  // The service was disconnected. Whoever listens hears nothing more, and whoever waits waits in vain.
  #end(listening) {
    if (this.#listening === listening) {
      this.#listening = undefined
      listensNoMore(this)
    }
    this.#waits.refuse(new CinnabarError('this service was disconnected', { code: 'E_CLOSED' }))
  }

  /** Calls who listens; answers whether anybody did. */
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
