'use strict'

const { AsyncResource } = require('node:async_hooks')

const { nextTurn, now } = require('../clock.js')
const { CinnabarError, argumentError } = require('../error.js')
const { describe } = require('../options.js')
const { writeFailure } = require('./failure.js')
const { activeJob } = require('./job.js')
const { waitOf } = require('./options.js')
const { Run } = require('./run.js')
const { isUnrecoverable } = require('./unrecoverable.js')

// For so long, short jobs may follow each other before everything else of this thread has its turn.
const TURN_MS = 5
const CLOSE_MS = 5000

const CRASHED = { name: 'CrashedError', message: 'too many workers crashed with it or lost its lease' }
const REASONS = {
  timeout: () => new CinnabarError("the job's time is over", { code: 'E_TIMEOUT' }),
  lost: () => new CinnabarError("the job was removed, or is another worker's by now", { code: 'E_JOB_GONE' }),
  closed: () => new CinnabarError('the worker closes and has given the job back', { code: 'E_CLOSED' }),
}

/** Runs the jobs of a queue, one after the other in each of its lanes. */
class Worker {
  #native
  #handler
  #concurrency
  #mostBytes
  #watch
  #complain
  #mourn
  // What begins a job of this worker does so in the asynchronous context in which it was made.
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

  /** How many jobs run here. */
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

  // The one way back from the native side.
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
      // Its lane may never come back; another takes its place.
      run.over = true
      this.#runs.delete(number)
      this.#lanes--
    }
    run.abort(REASONS[why]())
    if (why === 'timeout') this.#fill()
  }

  // Its time was over, and there is no other attempt.
  #die(number) {
    const run = this.#runs.get(number)
    if (run) this.#mourn(run.job, { name: 'CinnabarError', message: 'its time was over' })
  }

  #fill() {
    for (let free = this.#concurrency - this.#lanes; free > 0; free--) {
      const leased = this.#native.begin()
      if (leased === undefined) return
      this.#lanes++
      void this.#runLane(leased)
    }
  }

  // Many jobs follow each other in one call, so that none costs a promise and a closure of its own. It never rejects.
  async #runLane(leased) {
    do {
      const run = new Run(this.#native, leased, this.#mostBytes)
      this.#runs.set(leased[0], run)
      try {
        let result = this.#begin(run, leased)
        if (typeof result?.then === 'function') result = await result
        if (run.over) return
        const wrong = this.#native.complete(leased[0], writeResult(result))
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

  // In a context of its own: what a handler enters must not be around for the next job.
  #begin(run, leased) {
    const job = activeJob(this.#watch, leased)
    return new AsyncResource('cinnabar.job').runInAsyncScope(this.#handler, undefined, job, run.context)
  }

  // Whatever else waits on this thread comes first. All lanes wait for the same turn.
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

function writeResult(result) {
  if (result === undefined) return undefined
  let text
  try {
    text = JSON.stringify(result)
  } catch (error) {
    throw argumentError(`the result cannot be written as JSON: ${messageOf(error)}`, error)
  }
  if (text === undefined) throw argumentError(`the result cannot be written as JSON: it is ${describe(result)}`)
  return text
}

function messageOf(error) {
  try {
    return String(error?.message ?? error)
  } catch {
    return 'it threw'
  }
}

module.exports = { Worker }
