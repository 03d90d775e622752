'use strict'

const { AsyncResource } = require('node:async_hooks')

const { getBridge } = require('../bridge.js')
const { nextTurn, now } = require('../clock.js')
const { parseMessage } = require('./parse-message.js')
const { logOnce, once, safeCallback } = require('./safe-callback.js')

/** How long handlers run before they yield to the event loop. */
const TURN_MS = 4
/** How many messages are handled between two readings of the clock. */
const CLOCK_EVERY = 16

/**
 * Calls a handler for each message in a native inbox, in the async context in which this object was created. Yields to the event
 * loop regularly, so that timers, sockets and other calls are not starved.
 */
class Delivery {
  #known
  #handler
  #onGap
  #onError
  #context = new AsyncResource('CinnabarSubscription')
  #pairs
  #at = 1
  /** Messages are waiting in the native inbox. */
  #hasMore = false
  #running = false
  #closed = false

  /** `known` is passed to the handler with messages that do not carry their own channel. Without `onError`, the end is logged. */
  constructor(known, handler, { onGap = warnOnce(known), onError = reportEnd(known) } = {}) {
    const logError = logOnce(known)
    this.#known = known
    this.#handler = safeCallback(handler, logError)
    this.#onGap = safeCallback(onGap, logError)
    this.#onError = safeCallback(onError, logError)
  }

  /** Messages are waiting for the reader of this number; without a number, the inbox was closed. */
  wake(number) {
    if (number === undefined) return this.close()
    this.#hasMore = true
    if (!this.#running) this.#run(number)
  }

  /** No handler is called after this. */
  close() {
    this.#closed = true
    this.#pairs = undefined
  }

  // Drains the inbox as far as time allows. With one batch per turn, a backlog would never shrink if each turn published as
  // many messages as it handled.
  #run(number) {
    const turnEnds = now() + TURN_MS
    do this.#running = this.#deliverBatch(number, turnEnds)
    while (this.#running && now() < turnEnds)
    if (this.#running) nextTurn(() => this.#run(number))
  }

  /** Returns whether more messages are waiting. */
  #deliverBatch(number, turnEnds) {
    if (this.#closed) return false
    if (!this.#pairs) {
      this.#pairs = getBridge().take(number)
      this.#at = 1
      this.#hasMore = this.#pairs?.[0] ?? false
      if (!this.#pairs) return false
    }
    const pairs = this.#pairs
    for (let count = 1; this.#at < pairs.length; count++) {
      const at = this.#at
      this.#at += 2
      this.#deliver(pairs[at], pairs[at + 1])
      // A handler may have closed the subscription.
      if (this.#closed) return false
      if (count % CLOCK_EVERY === 0 && now() > turnEnds) return true
    }
    this.#pairs = undefined
    return this.#hasMore
  }

  #deliver(first, second) {
    if (second === undefined) return this.#call(this.#onGap, { missed: first ?? 'unknown' })
    if (second === null) {
      this.close()
      if (first !== undefined) this.#call(this.#onError, first)
      return
    }
    this.#call(this.#handler, parseMessage(first), second === true ? this.#known : second)
  }

  #call(callback, value, about) {
    this.#context.runInAsyncScope(callback, undefined, value, about)
  }
}

// Without an onGap callback, missed messages are at least logged.
function warnOnce(known) {
  return once(({ missed }) => {
    const many = missed === 'unknown' ? 'messages may have been' : `${missed} messages were`
    console.warn(
      `cinnabar: ${many} missed on ${JSON.stringify(known)}; set the option onGap to be notified of every gap`,
    )
  })
}

const reportEnd = (known) => (error) =>
  console.error(`The subscription to ${JSON.stringify(known)} has ended; set the option onError to handle this:`, error)

module.exports = { Delivery }
