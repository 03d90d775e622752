'use strict'

const { AsyncResource } = require('node:async_hooks')

const { nextTurn, now } = require('../clock.js')
const { CinnabarError } = require('../error.js')
const { jsonOf } = require('../json.js')
const { Run } = require('./attempt.js')
const { writeFailure } = require('./failure.js')
const { activeJob } = require('./job.js')
const { waitOf } = require('./options.js')
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

/** Runs the jobs of a queue in `concurrency` lanes, each of which runs one job at a time. */
class Worker {
  #native
  #handler
  #concurrency
  #mostBytes
  #watch
  #complain
  #mourn
  // Handlers run in the async context in which the worker was created.
  #scope = new AsyncResource('cinnabar.worker')
  #lanes = 0
  #runs = new Map()
  #turnEnds = 0
  #nextTurn
  #closed
  #close
  #paused = false

  constructor({ watch, handler, concurrency, mostBytes, start, complain, mourn, ended }) {
    this.#watch = watch
    this.#handler = handler
    this.#concurrency = concurrency
    this.#mostBytes = mostBytes
    this.#complain = complain
    this.#mourn = mourn
    this.#closed = new Promise((resolve) => (this.#close = resolve))
    void this.#closed.then(ended)
    this.#native = start(this.#scope.bind((notice) => this.#hear(notice)))
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
    this.#native.close(waitOf(options, CLOSE_MS))
    return this.#closed
  }

  [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    return this.close().then(() => undefined)
  }

  // Receives all notices of the native side.
  #hear(notice) {
    if (notice === undefined) return this.#wake()
    const [what, ...details] = notice
    if (what === 'ended') this.#endRun(...details)
    else if (what === 'died') this.#die(details[0])
    else if (what === 'crashed') this.#mourn({ id: details[0], name: details[1], attempt: 0 }, CRASHED)
    else if (what === 'closed') this.#close({ unfinished: details[0] })
    else this.#complain(what === 'failing' ? details[0] : undefined)
  }

  #wake() {
    this.#turnEnds = now() + TURN_MS
    this.#fill()
  }

  #endRun(number, why) {
    const run = this.#runs.get(number)
    if (!run) return
    if (why !== 'lost') {
      // Its handler may never return, so another lane takes its place.
      run.over = true
      this.#runs.delete(number)
      this.#lanes--
    }
    run.abort(REASONS[why]())
    if (why === 'timeout') this.#fill()
  }

  // The job exceeded its timeout and has no attempts left.
  #die(number) {
    const run = this.#runs.get(number)
    if (run) this.#mourn(run.job, { name: 'CinnabarError', message: 'it exceeded its timeout' })
  }

  #fill() {
    for (let free = this.#concurrency - this.#lanes; free > 0; free--) {
      const leased = this.#native.begin()
      if (leased === undefined) return
      this.#lanes++
      void this.#runLane(leased)
    }
  }

  // Runs many jobs in one call, which saves a promise and a closure per job. Never rejects.
  async #runLane(leased) {
    do {
      const run = new Run(this.#native, leased, this.#mostBytes)
      this.#runs.set(leased[0], run)
      try {
        let result = this.#begin(run, leased)
        if (typeof result?.then === 'function') result = await result
        if (run.over) return
        const wrong = this.#native.complete(leased[0], result === undefined ? undefined : jsonOf(result, 'the result'))
        if (wrong) this.#mourn(run.job, { name: 'CinnabarError', message: wrong })
      } catch (thrown) {
        if (run.over) return
        const failure = writeFailure(thrown, this.#mostBytes)
        if (this.#native.fail(leased[0], failure, isUnrecoverable(thrown))) this.#mourn(run.job, JSON.parse(failure))
      }
      this.#runs.delete(leased[0])
      if (now() >= this.#turnEnds) await this.#yield()
      leased = this.#native.begin()
    } while (leased !== undefined)
    this.#lanes--
  }

  // Each job gets a fresh async context, so that nothing a handler enters leaks into the next job.
  #begin(run, leased) {
    const job = activeJob(this.#watch, leased)
    return new AsyncResource('cinnabar.job').runInAsyncScope(this.#handler, undefined, job, run.context)
  }

  // Yields to the event loop. All lanes wait for the same turn.
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
