'use strict'

const { getBridge } = require('../bridge.js')
const { parseText } = require('./parse-message.js')
const { complainOnce, guarded } = require('./safe-callback.js')

/**
 * Hands out what waits in a native inbox, one by one, to whoever asks. Nothing but a small portion is on this side, so that
 * memory stays bounded however slow the asking is. What is handed out is `make(value, about, missed)`.
 */
class Stream {
  #known
  #onGap
  #make
  #number
  #pairs = []
  #at = 1
  #missed = 0
  #asking = []
  #ended = false

  /** `known` is what a message goes with unless it says so itself. */
  constructor(known, onGap, make = (value, channel, missed) => ({ channel, value, missed })) {
    this.#known = known
    this.#onGap = guarded(onGap ?? (() => {}), complainOnce(known))
    this.#make = make
  }

  /** The reader of this number has something; without one, it was closed. */
  wake(number) {
    if (number === undefined) return this.close()
    this.#number = number
    while (this.#asking.length > 0) {
      const result = this.#take()
      if (!result) return
      const asker = this.#asking.shift() ?? result.asker
      if (asker) settle(result, asker)
    }
  }

  /** The next one, in the order of asking. */
  next() {
    const result = this.#asking.length === 0 ? this.#take() : undefined
    return new Promise((resolve, reject) => {
      if (result) settle(result, { resolve, reject })
      else this.#asking.push({ resolve, reject })
    })
  }

  /** Nothing more is handed out. */
  close() {
    this.#ended = true
    this.#pairs = []
    for (const { resolve } of this.#asking.splice(0)) resolve(done())
  }

  /** A result, `{ error }`, or nothing when nothing waits. */
  #take() {
    for (;;) {
      if (this.#at >= this.#pairs.length && !this.#refill()) return this.#ended ? done() : undefined
      const [first, second] = [this.#pairs[this.#at], this.#pairs[this.#at + 1]]
      this.#at += 2
      if (second === undefined) this.#miss(first ?? 'unknown')
      else if (second === null) return this.#end(first)
      else return { done: false, value: this.#message(parseText(first), second === true ? this.#known : second) }
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

  // The first who asks gets the error, all others an end.
  #end(error) {
    const asker = this.#asking.shift()
    this.close()
    return error === undefined ? { ...done(), asker } : { error, asker }
  }
}

const done = () => ({ done: true, value: undefined })

function settle({ error, done, value }, { resolve, reject }) {
  if (error === undefined) resolve({ done, value })
  else reject(error)
}

module.exports = { Stream }
