'use strict'

const { every, later } = require('../clock.js')
const { CinnabarError, isUnavailable } = require('../error.js')
const { once } = require('../pubsub/safe-callback.js')
const { jobFailed } = require('./failure.js')

// Events may be lost, so waiting callers also poll at this interval.
const LOOK_MS = 3000
const GONE_MS = 200
// The polling interval until the subscription to events is active.
const UNHEARD_MS = 250

/** Pending `finished()` calls. */
class Waits {
  #look
  #unwait
  #byJob = new Map()
  #endLooks
  #unheard = 0
  #endOften

  /**
   * `look(id, counted)` reads a job from the store. If `counted`, it also registers a waiter, for which the store keeps the job's
   * outcome; `unwait(id)` removes that waiter.
   */
  constructor(look, unwait) {
    this.#look = look
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
    this.#endLooks ??= every(LOOK_MS, () => this.lookNow())
    const wait = {}
    const promise = new Promise((resolve, reject) => Object.assign(wait, { resolve, reject }))
    if (!this.#byJob.has(id)) this.#byJob.set(id, { waits: new Set(), asking: false, counted: false, over: false })
    this.#byJob.get(id).waits.add(wait)
    return { promise, end: () => this.#remove(id, wait) }
  }

  #remove(id, wait) {
    const all = this.#byJob.get(id)
    all?.waits.delete(wait)
    if (all?.waits.size === 0) {
      this.#byJob.delete(id)
      all.over = true
      if (all.counted) this.#leave(id)
    }
    if (this.#byJob.size > 0) return
    this.#endLooks?.()
    this.#endLooks = undefined
  }

  /** Polls all jobs at the short interval until the returned function is called. */
  lookOften() {
    this.#endOften ??= every(UNHEARD_MS, () => this.lookNow())
    this.#unheard++
    return once(() => {
      if (--this.#unheard > 0) return
      this.#endOften()
      this.#endOften = undefined
    })
  }

  // An error is harmless: the store keeps an outcome for waiters for only a minute.
  #leave(id) {
    this.#unwait(id).catch(() => {})
  }

  /** Handles an event of a job. Reads the job if the message was too long to carry its result. */
  hear(event, details) {
    const { id, result, error, partial } = details
    if (!this.#byJob.has(id)) return
    if (event === 'removed') this.#settle(id, gone(id))
    else if (event !== 'completed' && event !== 'dead') return
    else if (partial) void this.look(id)
    else if (event === 'dead') this.#settle(id, jobFailed(id, error))
    else this.#settle(id, undefined, result)
  }

  /** Polls every job with a pending `finished()`. */
  lookNow() {
    for (const id of this.#byJob.keys()) void this.look(id)
  }

  /** Polls a job. Never rejects: the wait continues while the store is unavailable. */
  async look(id) {
    const all = this.#byJob.get(id)
    if (!all) return
    const counts = !all.counted && !all.asking
    if (counts) all.asking = true
    let job
    try {
      job = await this.#look(id, counts)
    } catch (error) {
      if (counts) all.asking = false
      if (!isUnavailable(error)) this.#settle(id, error)
      return
    }
    if (counts) {
      all.asking = false
      // A job that has already ended registers no waiter.
      all.counted = job !== null && job.state !== 'done' && job.state !== 'dead'
      if (all.counted && all.over) this.#leave(id)
    }
    // The event of a job that is not kept may arrive shortly after the job is removed.
    if (job === null) later(GONE_MS, () => this.#settle(id, gone(id)))
    else if (job.state === 'done') this.#settle(id, undefined, job.result)
    else if (job.state === 'dead') this.#settle(id, jobFailed(id, job.error))
  }

  /** Rejects all waits. */
  refuse(error) {
    for (const id of [...this.#byJob.keys()]) this.#settle(id, error)
  }

  #settle(id, error, result) {
    for (const wait of this.#byJob.get(id)?.waits ?? []) {
      if (error) wait.reject(error)
      else wait.resolve(result)
    }
  }
}

function gone(id) {
  const message = `job ${JSON.stringify(id)} is not there any more: it was removed, or has finished and was not kept`
  return new CinnabarError(message, { code: 'E_JOB_GONE' })
}

module.exports = { Waits }
