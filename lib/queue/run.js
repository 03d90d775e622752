'use strict'

const { Buffer } = require('node:buffer')

const { argumentError } = require('../error.js')
const { describe } = require('../options.js')

const MOST_PROGRESS = 65_536
const MOST_LINE = 8192

/** One attempt at a job, from its beginning until its handler or its time ends it. */
class Run {
  /** Whether it has ended without its handler: what that still brings changes nothing. */
  over = false
  #native
  #number
  #leased
  #reason
  #controller
  #mostBytes

  constructor(native, leased, mostBytes) {
    this.#native = native
    this.#number = leased[0]
    this.#leased = leased
    this.#mostBytes = mostBytes
  }

  /** Which job it is, for whoever is told of it. */
  get job() {
    const [, id, name, , attempt] = this.#leased
    return { id, name, attempt }
  }

  /** What a handler gets beside its job. What it never asks for is never made. */
  get context() {
    return new Context(this)
  }

  /** Aborted when the attempt ends without its handler. */
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
    const text = writeProgress(value, Math.min(MOST_PROGRESS, this.#mostBytes))
    if (!this.#reason) this.#native.report(this.#number, text, undefined)
  }

  log(line) {
    if (typeof line !== 'string') throw argumentError(`a line of a log must be a string, got ${describe(line)}`)
    const short = line.length > MOST_LINE ? `${line.slice(0, MOST_LINE)}…` : line
    if (!this.#reason) this.#native.report(this.#number, undefined, short)
  }
}

/** `{ signal, progress, log }`: may be taken apart. */
class Context {
  #run

  constructor(run) {
    this.#run = run
  }

  get signal() {
    return this.#run.signal
  }

  get progress() {
    return (value) => this.#run.progress(value)
  }

  get log() {
    return (line) => this.#run.log(line)
  }
}

function writeProgress(value, most) {
  let text
  try {
    text = JSON.stringify(value)
  } catch (error) {
    throw argumentError('progress must be something that JSON can write', error)
  }
  if (text === undefined) throw argumentError(`progress must be something that JSON can write, got ${describe(value)}`)
  const bytes = Buffer.byteLength(text)
  if (bytes <= most) return text
  throw argumentError(`progress must have at most ${most} bytes as JSON, got ${bytes}`)
}

module.exports = { Run }
