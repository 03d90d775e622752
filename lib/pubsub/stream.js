'use strict'

const { getBridge } = require('../bridge.js')
const { parseMessage } = require('./parse-message.js')
const { logOnce, safeCallback } = require('./safe-callback.js')

/**
 * Reads a native inbox, one item per call of `next()`. Only a small batch of it is in JavaScript memory, so that memory stays bounded
 * however slow the reader is. Each item is `make(value, about, missed)`.
 */
class Stream {
  #known
  #onGap
  #make
  #number
  #pairs = []
  #at = 1
  #missed = 0
  #readers = []
  #ended = false

  /** `known` is passed to `make` with messages that do not carry their own channel. */
  constructor(known, onGap, make = (value, channel, missed) => ({ channel, value, missed })) {
    this.#known = known
    this.#onGap = safeCallback(onGap ?? (() => {}), logOnce(known))
    this.#make = make
  }

  /** Items are waiting for the reader of this number; without a number, the inbox was closed. */
  wake(number) {
    if (number === undefined) return this.close()
    this.#number = number
    while (this.#readers.length > 0) {
      const result = this.#take()
      if (!result) return
      const reader = this.#readers.shift() ?? result.reader
      if (reader) settle(result, reader)
    }
  }

  /** Resolves to the next item. Concurrent calls get items in the order of the calls. */
  next() {
    const result = this.#readers.length === 0 ? this.#take() : undefined
    return new Promise((resolve, reject) => {
      if (result) settle(result, { resolve, reject })
      else this.#readers.push({ resolve, reject })
    })
  }

  /** Ends the stream. Items that were not read yet are dropped. */
  close() {
    this.#ended = true
    this.#pairs = []
    for (const { resolve } of this.#readers.splice(0)) resolve(done())
  }

  /** Takes a result, or `{ error }`; `undefined` if nothing is waiting. */
  #take() {
    for (;;) {
      if (this.#at >= this.#pairs.length && !this.#refill()) return this.#ended ? done() : undefined
      const [first, second] = [this.#pairs[this.#at], this.#pairs[this.#at + 1]]
      this.#at += 2
      if (second === undefined) this.#miss(first ?? 'unknown')
      else if (second === null) return this.#end(first)
      else return { done: false, value: this.#message(parseMessage(first), second === true ? this.#known : second) }
    }
  }

  #refill() {
    const taken = this.#ended || this.#number === undefined ? null : getBridge().take(this.#number)
    this.#pairs = taken ?? []
    this.#at = 1
    return taken !== null
  }

  #message(value, about) {
    const missed = this.#missed
    this.#missed = 0
    return this.#make(value, about, missed)
  }

  #miss(missed) {
    this.#missed = missed === 'unknown' || this.#missed === 'unknown' ? 'unknown' : this.#missed + missed
    this.#onGap({ missed })
  }

  // The first reader gets the error, all others the end of the stream.
  #end(error) {
    const reader = this.#readers.shift()
    this.close()
    return error === undefined ? { ...done(), reader } : { error, reader }
  }
}

const done = () => ({ done: true, value: undefined })

function settle({ error, done, value }, { resolve, reject }) {
  if (error === undefined) resolve({ done, value })
  else reject(error)
}

module.exports = { Stream }
