'use strict'

const { AsyncResource } = require('node:async_hooks')

const { getBridge } = require('../bridge.js')
const { nextTurn, now } = require('../clock.js')
const { complainOnce, guarded, once } = require('./guard.js')
const { parseText } = require('./text.js')

/** For so long handlers run before everything else gets its turn. */
const TURN_MS = 4
/** The clock is looked at once every so many messages. */
const LOOK = 16

/**
 * Calls a handler for what waits in a native inbox, in the asynchronous context in which this was made. A turn of the event
 * loop takes a portion at most: timers, sockets and answers of other calls are never far.
 */
class Delivery {
  #known
  #handler
  #onGap
  #onError
  #context = new AsyncResource('CinnabarSubscription')
  #pairs
  #at = 1
  /** Something waits natively. */
  #more = false
  #running = false
  #closed = false

  /** `known` is what a message goes with unless it says so itself. Without `onError`, an end is an error on the console. */
  constructor(known, handler, { onGap = warnOnce(known), onError = reportEnd(known) } = {}) {
    const complain = complainOnce(known)
    this.#known = known
    this.#handler = guarded(handler, complain)
    this.#onGap = guarded(onGap, complain)
    this.#onError = guarded(onError, complain)
  }

  /** Something waits for the reader of this number; without one, it was closed. */
  wake(number) {
    if (number === undefined) return this.close()
    this.#more = true
    if (!this.#running) this.#run(number)
  }

  /** No handler is called any more. */
  close() {
    this.#closed = true
    this.#pairs = undefined
  }

  // Everything that waits, if there is the time: with one portion a turn, calls that publish as much in a turn would keep
  // whatever has once piled up from ever getting less.
  #run(number) {
    const turnEnds = now() + TURN_MS
    do this.#running = this.#portion(number, turnEnds)
    while (this.#running && now() < turnEnds)
    if (this.#running) nextTurn(() => this.#run(number))
  }

  /** Answers whether there is more. */
  #portion(number, turnEnds) {
    if (this.#closed) return false
    if (!this.#pairs) {
      this.#pairs = getBridge().take(number)
      this.#at = 1
      this.#more = this.#pairs?.[0] ?? false
      if (!this.#pairs) return false
    }
    const pairs = this.#pairs
    for (let count = 1; this.#at < pairs.length; count++) {
      const at = this.#at
      this.#at += 2
      this.#hand(pairs[at], pairs[at + 1])
      // A handler may have closed it.
      if (this.#closed) return false
      if (count % LOOK === 0 && now() > turnEnds) return true
    }
    this.#pairs = undefined
    return this.#more
  }

  #hand(first, second) {
    if (second === undefined) return this.#call(this.#onGap, { missed: first ?? 'unknown' })
    if (second === null) {
      this.close()
      if (first !== undefined) this.#call(this.#onError, first)
      return
    }
    this.#call(this.#handler, parseText(first), second === true ? this.#known : second)
  }

  #call(what, value, about) {
    this.#context.runInAsyncScope(what, undefined, value, about)
  }
}

// What was missed must not go unseen where nobody asked to be told.
function warnOnce(known) {
  return once(({ missed }) => {
    const many = missed === 'unknown' ? 'messages may have been' : `${missed} messages were`
    console.warn(`cinnabar: ${many} missed on ${JSON.stringify(known)}; the option onGap tells you of each such gap`)
  })
}

const reportEnd = (known) => (error) =>
  console.error(`The subscription to ${JSON.stringify(known)} has ended; the option onError tells you of it:`, error)

module.exports = { Delivery }
