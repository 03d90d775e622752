'use strict'

const { every, later } = require('../clock.js')
const { CinnabarError, isUnavailable } = require('../error.js')
const { once } = require('../pubsub/safe-callback.js')
const { jobFailed } = require('./failure.js')

// Events may be lost, so jobs are also polled at this interval.
const POLL_MS = 3000
// The polling interval until the subscription to events is active.
const FAST_POLL_MS = 250
const MISSING_MS = 200

/** Pending `finished()` calls. */
class PendingResults {
  #read
  #unwait
  #byJob = new Map()
  #stopPolling
  #fastPollers = 0
  #stopFastPolling

  /**
   * `read(id, counted)` reads a job from the store. If `counted`, it also registers a waiter, for which the store keeps the job's
   * outcome; `unwait(id)` removes that waiter.
   */
  constructor(read, unwait) {
    this.#read = read
    this.#unwait = unwait
  }

  get size() {
    return this.#byJob.size
  }

  has(id) {
    return this.#byJob.has(id)
  }

  /** Returns a promise for the result of a job, and a function that ends the wait. */
  add(id) {
    this.#stopPolling ??= every(POLL_MS, () => this.pollAll())
    const waiter = {}
    const promise = new Promise((resolve, reject) => Object.assign(waiter, { resolve, reject }))
    if (!this.#byJob.has(id))
      this.#byJob.set(id, { waiters: new Set(), registering: false, counted: false, over: false })
    this.#byJob.get(id).waiters.add(waiter)
    return { promise, end: () => this.#remove(id, waiter) }
  }

  #remove(id, waiter) {
    const pending = this.#byJob.get(id)
    pending?.waiters.delete(waiter)
    if (pending?.waiters.size === 0) {
      this.#byJob.delete(id)
      pending.over = true
      if (pending.counted) this.#unregister(id)
    }
    if (this.#byJob.size > 0) return
    this.#stopPolling?.()
    this.#stopPolling = undefined
  }

  /** Polls all jobs at the short interval until the returned function is called. */
  pollOften() {
    this.#stopFastPolling ??= every(FAST_POLL_MS, () => this.pollAll())
    this.#fastPollers++
    return once(() => {
      if (--this.#fastPollers > 0) return
      this.#stopFastPolling()
      this.#stopFastPolling = undefined
    })
  }

  // An error is harmless: the store keeps an outcome for waiters for only a minute.
  #unregister(id) {
    this.#unwait(id).catch(() => {})
  }

  /** Handles an event of a job. Reads the job if the message was too long to carry its result. */
  handleEvent(event, details) {
    const { id, result, error, partial } = details
    if (!this.#byJob.has(id)) return
    if (event === 'removed') this.#settle(id, missingError(id))
    else if (event !== 'completed' && event !== 'dead') return
    else if (partial) void this.poll(id)
    else if (event === 'dead') this.#settle(id, jobFailed(id, error))
    else this.#settle(id, undefined, result)
  }

  /** Polls every job with a pending `finished()`. */
  pollAll() {
    for (const id of this.#byJob.keys()) void this.poll(id)
  }

  /** Polls a job. Never rejects: the wait continues while the store is unavailable. */
  async poll(id) {
    const pending = this.#byJob.get(id)
    if (!pending) return
    const registers = !pending.counted && !pending.registering
    if (registers) pending.registering = true
    let job
    try {
      job = await this.#read(id, registers)
    } catch (error) {
      if (registers) pending.registering = false
      if (!isUnavailable(error)) this.#settle(id, error)
      return
    }
    if (registers) {
      pending.registering = false
      // A job that has already ended registers no waiter.
      pending.counted = job !== null && job.state !== 'done' && job.state !== 'dead'
      if (pending.counted && pending.over) this.#unregister(id)
    }
    // The event of a job that is not kept may arrive shortly after the job is removed.
    if (job === null) later(MISSING_MS, () => this.#settle(id, missingError(id)))
    else if (job.state === 'done') this.#settle(id, undefined, job.result)
    else if (job.state === 'dead') this.#settle(id, jobFailed(id, job.error))
  }

  /** Rejects every pending call. */
  rejectAll(error) {
    for (const id of [...this.#byJob.keys()]) this.#settle(id, error)
  }

  #settle(id, error, result) {
    for (const waiter of this.#byJob.get(id)?.waiters ?? []) {
      if (error) waiter.reject(error)
      else waiter.resolve(result)
    }
  }
}

function missingError(id) {
  const message = `job ${JSON.stringify(id)} is not there any more: it was removed, or has finished and was not kept`
  return new CinnabarError(message, { code: 'E_JOB_GONE' })
}

module.exports = { PendingResults }
