'use strict'

const { Buffer } = require('node:buffer')

const { argumentError } = require('../error.js')
const { jsonOf } = require('../json.js')
const { describe } = require('../options.js')

const MOST_PROGRESS = 65_536
const MOST_LINE = 8192

/** One attempt at a job, until its handler returns or its timeout ends it. */
class Attempt {
  /** Whether it ended before its handler did, whose result is then ignored. */
  over = false
  #native
  #number
  #fields
  #reason
  #controller
  #maxBytes

  constructor(native, leased, maxBytes) {
    this.#native = native
    this.#number = leased.number
    this.#fields = leased.fields
    this.#maxBytes = maxBytes
  }

  /** The job, for log lines. */
  get job() {
    const { id, name, attempt } = this.#fields
    return { id, name, attempt }
  }

  /** The handler's second argument. Its members are created on first use. */
  get context() {
    return new Context(this)
  }

  /** Aborted when the attempt ends before its handler does. */
  get signal() {
    this.#controller ??= new AbortController()
    if (this.#reason) this.#controller.abort(this.#reason)
    return this.#controller.signal
  }

  abort(reason) {
    this.#reason ??= reason
    this.#controller?.abort(this.#reason)
  }

  progress(value) {
    const text = writeProgress(value, Math.min(MOST_PROGRESS, this.#maxBytes))
    if (!this.#reason) this.#native.report(this.#number, text, undefined)
  }

  log(line) {
    if (typeof line !== 'string') throw argumentError(`a log line must be a string, got ${describe(line)}`)
    const short = line.length > MOST_LINE ? `${line.slice(0, MOST_LINE)}…` : line
    if (!this.#reason) this.#native.report(this.#number, undefined, short)
  }
}

/** `{ signal, progress, log }`; may be destructured. */
class Context {
  #attempt

  constructor(attempt) {
    this.#attempt = attempt
  }

  get signal() {
    return this.#attempt.signal
  }

  get progress() {
    return (value) => this.#attempt.progress(value)
  }

  get log() {
    return (line) => this.#attempt.log(line)
  }
}

function writeProgress(value, most) {
  const text = jsonOf(value, 'progress')
  const bytes = Buffer.byteLength(text)
  if (bytes <= most) return text
  throw argumentError(`progress must have at most ${most} bytes as JSON, got ${bytes}`)
}

module.exports = { Attempt }
