'use strict'

const { now } = require('../../clock.js')
const { number } = require('../text.js')

const EVERY_MS = 100
const CLEAR = '\r\x1b[K'

/** How many keys were read so far, in one line of standard error that ends with the work. Only on a terminal. */
class Progress {
  #total
  #next = now() + EVERY_MS
  #isShown = false

  constructor(total) {
    this.#total = total
  }

  show(count) {
    if (!process.stderr.isTTY || now() < this.#next) return
    this.#next = now() + EVERY_MS
    this.#isShown = true
    const all = this.#total === null ? '' : ` of about ${number(this.#total)}`
    process.stderr.write(`${CLEAR}${number(count)}${all} keys`)
  }

  end() {
    if (this.#isShown) process.stderr.write(CLEAR)
  }
}

module.exports = { Progress }
