'use strict'

const { AsyncResource } = require('node:async_hooks')

const { nextTurn, now } = require('../clock.js')
const { CinnabarError } = require('../error.js')
const { jsonOf } = require('../json.js')
const { Attempt } = require('./attempt.js')
const { writeFailure } = require('./failure.js')
const { activeJob, leasedJob } = require('./job.js')
const { readTimeout } = require('./options.js')
const { isUnrecoverable } = require('./unrecoverable.js')

// How long short jobs may run back to back before they yield to the event loop.
const TURN_MS = 5
const CLOSE_MS = 5000

const CRASHED = { name: 'CrashedError', message: 'too many workers crashed with it or lost its lease' }
const REASONS = {
  timeout: () => new CinnabarError('the job exceeded its timeout', { code: 'E_TIMEOUT' }),
  lost: () => new CinnabarError('the job was removed or taken over by another worker', { code: 'E_JOB_GONE' }),
  closed: () => new CinnabarError('the worker is closing and has returned the job to the queue', { code: 'E_CLOSED' }),
}

/** Runs the jobs of a queue in `concurrency` loops, each of which runs one job at a time. */
class Worker {
  #native
  #handler
  #concurrency
  #maxBytes
  #watch
  #onError
  #onDead
  // Handlers run in the async context in which the worker was created.
  #scope = new AsyncResource('cinnabar.worker')
  #loops = 0
  #attempts = new Map()
  #turnEnds = 0
  #nextTurn
  #closed
  #close
  #paused = false

  constructor({ watch, handler, concurrency, maxBytes, start, onError, onDead, onClosed }) {
    this.#watch = watch
    this.#handler = handler
    this.#concurrency = concurrency
    this.#maxBytes = maxBytes
    this.#onError = onError
    this.#onDead = onDead
    this.#closed = new Promise((resolve) => (this.#close = resolve))
    void this.#closed.then(onClosed)
    this.#native = start(this.#scope.bind((notice) => this.#receive(notice)))
    this.#scope.runInAsyncScope(() => this.#fill())
  }

  /** The number of jobs running in this worker. */
  get running() {
    return this.#native.running
  }

  get isPaused() {
    return this.#paused
  }

  pause() {
    this.#paused = true
    this.#native.pause(true)
  }

  resume() {
    this.#paused = false
    this.#native.pause(false)
  }

  async close(options) {
    this.#native.close(readTimeout(options, CLOSE_MS))
    return this.#closed
  }

  [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    return this.close().then(() => undefined)
  }

  // Receives all notices of the native side.
  #receive(notice) {
    if (notice === undefined) return this.#wake()
    const [what, ...details] = notice
    if (what === 'ended') this.#endAttempt(...details)
    else if (what === 'died') this.#die(details[0])
    else if (what === 'crashed') this.#onDead({ id: details[0], name: details[1], attempt: 0 }, CRASHED)
    else if (what === 'closed') this.#close({ unfinished: details[0] })
    else this.#onError(what === 'failing' ? details[0] : undefined)
  }

  #wake() {
    this.#turnEnds = now() + TURN_MS
    this.#fill()
  }

  #endAttempt(number, why) {
    const attempt = this.#attempts.get(number)
    if (!attempt) return
    if (why !== 'lost') {
      // Its handler may never return, so another loop takes its place.
      attempt.over = true
      this.#attempts.delete(number)
      this.#loops--
    }
    attempt.abort(REASONS[why]())
    if (why === 'timeout') this.#fill()
  }

  // The job exceeded its timeout and has no attempts left.
  #die(number) {
    const attempt = this.#attempts.get(number)
    if (attempt) this.#onDead(attempt.job, { name: 'CinnabarError', message: 'it exceeded its timeout' })
  }

  #fill() {
    for (let free = this.#concurrency - this.#loops; free > 0; free--) {
      const leased = this.#nextJob()
      if (leased === undefined) return
      this.#loops++
      void this.#runLoop(leased)
    }
  }

  #nextJob() {
    const fields = this.#native.begin()
    return fields && leasedJob(fields)
  }

  // Runs many jobs in one call, which saves a promise and a closure per job. Never rejects.
  async #runLoop(leased) {
    do {
      const { number } = leased
      const attempt = new Attempt(this.#native, leased, this.#maxBytes)
      this.#attempts.set(number, attempt)
      try {
        let result = this.#begin(attempt, leased)
        if (typeof result?.then === 'function') result = await result
        if (attempt.over) return
        const wrong = this.#native.complete(number, result === undefined ? undefined : jsonOf(result, 'the result'))
        if (wrong) this.#onDead(attempt.job, { name: 'CinnabarError', message: wrong })
      } catch (thrown) {
        if (attempt.over) return
        const failure = writeFailure(thrown, this.#maxBytes)
        if (this.#native.fail(number, failure, isUnrecoverable(thrown))) this.#onDead(attempt.job, JSON.parse(failure))
      }
      this.#attempts.delete(number)
      if (now() >= this.#turnEnds) await this.#yield()
      leased = this.#nextJob()
    } while (leased !== undefined)
    this.#loops--
  }

  // Each job gets a fresh async context, so that nothing a handler enters leaks into the next job.
  #begin(attempt, leased) {
    const job = activeJob(this.#watch, leased)
    return new AsyncResource('cinnabar.job').runInAsyncScope(this.#handler, undefined, job, attempt.context)
  }

  // Yields to the event loop. All loops wait for the same turn.
  #yield() {
    return (this.#nextTurn ??= new Promise((resolve) => {
      nextTurn(() => {
        this.#nextTurn = undefined
        this.#turnEnds = now() + TURN_MS
        resolve()
      })
    }))
  }
}

module.exports = { Worker }
