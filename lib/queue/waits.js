'use strict'

const { every, later } = require('../clock.js')
const { CinnabarError, isUnavailable } = require('../error.js')
const { once } = require('../pubsub/guard.js')
const { jobFailed } = require('./failure.js')

// Events are hints. Whoever waits for one that was lost learns of the end of his job this much later.
const LOOK_MS = 3000
const GONE_MS = 200
// Until its events are heard, a job that is waited for is looked at so often.
const UNHEARD_MS = 250

/** Who waits for jobs to finish. */
class Waits {
  #look
  #unwait
  #byJob = new Map()
  #endLooks
  #unheard = 0
  #endOften

  /**
   * `look(id, counted)` reads a job from the store, which from then on keeps how it ends for whoever is counted; `unwait(id)` says
   * that he waits no longer.
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

  /** A promise for the result of a job, and what ends the wait. */
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

  /** Looks at all of them often, until whoever asks for it ends that. */
  lookOften() {
    this.#endOften ??= every(UNHEARD_MS, () => this.lookNow())
    this.#unheard++
    return once(() => {
      if (--this.#unheard > 0) return
      this.#endOften()
      this.#endOften = undefined
    })
  }

  // What is kept for those who wait is kept for a minute only: that this cannot be said harms nobody.
  #leave(id) {
    this.#unwait(id).catch(() => {})
  }

  /** Something happened to a job. What its message was too short for is read. */
  hear(event, details) {
    const { id, result, error, partial } = details
    if (!this.#byJob.has(id)) return
    if (event === 'removed') this.#settle(id, gone(id))
    else if (event !== 'completed' && event !== 'dead') return
    else if (partial) void this.look(id)
    else if (event === 'dead') this.#settle(id, jobFailed(id, error))
    else this.#settle(id, undefined, result)
  }

  /** Looks how all jobs are that somebody waits for. */
  lookNow() {
    for (const id of this.#byJob.keys()) void this.look(id)
  }

  /** Looks how a job is. Never rejects: without a server the wait goes on. */
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
      // Who comes after the end is not counted.
      all.counted = job !== null && job.state !== 'done' && job.state !== 'dead'
      if (all.counted && all.over) this.#leave(id)
    }
    // The end of one that was not kept may be told a moment after it is gone.
    if (job === null) later(GONE_MS, () => this.#settle(id, gone(id)))
    else if (job.state === 'done') this.#settle(id, undefined, job.result)
    else if (job.state === 'dead') this.#settle(id, jobFailed(id, job.error))
  }

  /** Nobody can wait any longer. */
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
