'use strict'

const { binding, getBridge } = require('./bridge.js')
const { throwIfAborted, unlessAborted } = require('./call-limits.js')
const { later } = require('./clock.js')
const { CinnabarError, argumentError, isUnavailable } = require('./error.js')
const { featureOn } = require('./feature.js')
const { evaluation, register } = require('./hot-reload.js')
const { Limitable, limitsOf, partsOf, readCall } = require('./limitable.js')
const { isLazy } = require('./native-service.js')
const { assertFunction, assertMilliseconds, describe, ownOptions } = require('./options.js')
const { logDeadJob } = require('./queue/dead-jobs.js')
const { Events } = require('./queue/events.js')
const { Job } = require('./queue/job.js')
const { jobOptions, jobsOf, queueOptions, readTimeout, scheduleOptions, workerOptions } = require('./queue/options.js')
const { PendingResults } = require('./queue/pending-results.js')
const { Worker } = require('./queue/worker.js')

// The default page size of a list.
const PAGE = 100
const PAGE_OPTIONS = ['offset', 'limit']
const LIMIT_OPTIONS = ['limit']
const DRAIN_OPTIONS = ['delayed']
const CLEAN_OPTIONS = ['olderThanMs', 'limit']
const NO_OPTIONS = []

let scratchService

/** A queue of jobs, which are stored until a worker has completed them. */
class JobQueue extends Limitable {
  // How a job refers to its queue.
  #watch = { finished: (id, options) => this.#finished(id, options) }

  constructor(name, options) {
    super(name, () => {
      if (typeof name !== 'string') throw argumentError(`the name of a queue must be a string, got ${describe(name)}`)
      const { service, rest } = queueOptions(options)
      const make = (native) => ({ native: new binding.Queue(native, name, rest) })
      // A mistake in them shows at once, even if the service is created at its first use.
      if (service === undefined || isLazy(service)) make(scratch())
      return featureOn(
        service,
        make,
        share(name, () => this.#native),
      )
    })
  }

  get #native() {
    return partsOf(this).native
  }

  get #shared() {
    return partsOf(this).shared
  }

  get name() {
    return this.#shared.name
  }

  async add(name, data, options) {
    const [id, isNew] = await this.#native.add(name, data, jobOptions(options))
    return new Job(this.#watch, { id, name, data, isNew })
  }

  async addMany(jobs) {
    const all = jobsOf(jobs)
    const added = await this.#native.addMany(all)
    return added.map(([id, isNew], index) => {
      const { name, data } = all[index]
      return new Job(this.#watch, { id, name, data, isNew })
    })
  }

  process(handler, options) {
    assertFunction(handler, 'handler')
    const checked = workerOptions(options)
    throwIfAborted(limitsOf(this))
    this.#throwIfNotMade()
    const { workers, events } = this.#shared
    const found = evaluation()
    let unregister
    const worker = new Worker({
      watch: this.#watch,
      handler,
      concurrency: checked.concurrency ?? 1,
      maxBytes: this.#native.maxBytes,
      start: (onNotice) => this.#native.process(checked, onNotice),
      onError: (error) => reportError(this.name, events, error),
      onDead: (job, failure) => logDeadJob(this.#native.scope, this.name, job, failure),
      onClosed: () => {
        workers.delete(worker)
        unregister()
      },
    })
    workers.add(worker)
    unregister = register(found, `worker ${this.#native.scope}`, () => void worker.close())
    return worker
  }

  async repeat(id, schedule, name, data, options) {
    const nextAt = await this.#native.repeat(id, scheduleOptions(schedule), name, data, jobOptions(options))
    return { id, nextAt }
  }

  unrepeat(id) {
    return this.#native.unrepeat(id)
  }

  async repeats(options) {
    const [queue, { offset = 0, limit = PAGE }] = readCall(this, options, PAGE_OPTIONS)
    return queue.#native.repeats(offset, limit)
  }

  async get(id) {
    const fields = await this.#native.get(id)
    return fields && new Job(this.#watch, fields)
  }

  async list(state, options) {
    const [queue, { offset = 0, limit = PAGE }] = readCall(this, options, PAGE_OPTIONS)
    const jobs = await queue.#native.list(state, offset, limit)
    return jobs.map((fields) => new Job(this.#watch, fields))
  }

  async logs(id, options) {
    const [queue, { offset = 0, limit = PAGE }] = readCall(this, options, PAGE_OPTIONS)
    return queue.#native.logs(id, offset, limit)
  }

  counts() {
    return this.#native.counts()
  }

  pause() {
    return this.#native.pause()
  }

  resume() {
    return this.#native.resume()
  }

  remove(id) {
    return this.#native.remove(id)
  }

  retry(id) {
    return this.#native.retry(id)
  }

  async redrive(options) {
    const [queue, { limit = Number.MAX_SAFE_INTEGER }] = readCall(this, options, LIMIT_OPTIONS)
    return queue.#native.redrive(limit)
  }

  async drain(options) {
    const [queue, { delayed = false }] = readCall(this, options, DRAIN_OPTIONS)
    if (typeof delayed !== 'boolean') throw argumentError(`delayed must be true or false, got ${describe(delayed)}`)
    return queue.#native.drain(delayed)
  }

  async clean(state, options) {
    const [queue, own] = readCall(this, options, CLEAN_OPTIONS)
    const { olderThanMs = 0, limit = Number.MAX_SAFE_INTEGER } = own
    return queue.#native.clean(state, olderThanMs, limit)
  }

  on(event, listener) {
    this.#listen(event, listener, false)
    return this
  }

  once(event, listener) {
    this.#listen(event, listener, true)
    return this
  }

  off(event, listener) {
    this.#shared.events.remove(event, listener)
    return this
  }

  addListener(event, listener) {
    return this.on(event, listener)
  }

  removeListener(event, listener) {
    return this.off(event, listener)
  }

  removeAllListeners(event) {
    this.#shared.events.removeAll(event)
    return this
  }

  listenerCount(event) {
    return this.#shared.events.count(event)
  }

  async close(options) {
    const timeoutMs = readTimeout(options)
    const { workers, events, pendingResults } = this.#shared
    const closed = await Promise.all([...workers].map((worker) => worker.close({ timeoutMs })))
    events.removeAll()
    pendingResults.rejectAll(new CinnabarError('this queue was closed', { code: 'E_CLOSED' }))
    return { unfinished: closed.flatMap(({ unfinished }) => unfinished) }
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.close()
  }

  // For methods that return no promise.
  #throwIfNotMade() {
    const { error } = partsOf(this).made
    if (error) throw error
  }

  #listen(event, listener, once) {
    this.#throwIfNotMade()
    const { events } = this.#shared
    events.add(event, listener, once)
    const found = evaluation()
    if (found) register(found, `on ${event} ${this.#native.scope ?? this.name}`, () => events.remove(event, listener))
  }

  async #finished(id, options) {
    // `timeoutMs` is how long to wait for the job, not a limit of the calls that read it.
    const { timeoutMs, signal } = ownOptions(options, ['timeoutMs', 'signal'])
    if (timeoutMs !== undefined) assertMilliseconds(timeoutMs, 'timeoutMs')
    const [queue] = readCall(this, { __proto__: null, signal }, NO_OPTIONS)
    return queue.#waitForResult(id, timeoutMs)
  }

  // Reads the job first and registers a waiter, so that its outcome is kept. Events then arrive sooner than polling would.
  async #waitForResult(id, timeoutMs) {
    const limits = limitsOf(this)
    throwIfAborted(limits)
    const { events, pendingResults } = this.#shared
    const { promise, end } = pendingResults.add(id)
    let stopTimer, stopPolling
    const late = new Promise((_, reject) => {
      if (timeoutMs !== undefined) stopTimer = later(timeoutMs, () => reject(overdueError(id, timeoutMs)))
    })
    try {
      events.update()
      void pendingResults.poll(id)
      if (!events.isSubscribed) {
        // After a reconnect, calls succeed before the subscription is back, so events in between would be missed.
        stopPolling = pendingResults.pollOften()
        void events.subscribed()?.then(() => {
          stopPolling()
          return pendingResults.poll(id)
        })
      }
      return await unlessAborted(limits, Promise.race([promise, late]))
    } finally {
      stopTimer?.()
      stopPolling?.()
      end()
      events.update()
    }
  }
}

// A service that is never used. Nothing is opened for it.
function scratch() {
  scratchService ??= new binding.Service(getBridge(), { url: 'memory:' }, {})
  return scratchService
}

// State shared by all objects derived from a queue with `with()`. `open()` returns the native queue.
function share(name, open) {
  const pendingResults = new PendingResults(
    (id, counted) => open().poll(id, counted),
    (id) => open().unwait(id),
  )
  const events = new Events(
    name,
    (onReady) => open().listen(onReady),
    pendingResults,
    () => open().scope,
  )
  return { name, events, pendingResults, workers: new Set() }
}

function reportError(name, events, error) {
  if (error === undefined || events.emit('error', error)) return
  // Unavailability is already reported by the service.
  if (!isUnavailable(error))
    console.warn(`cinnabar: a worker of the queue ${JSON.stringify(name)} is paused by an error: ${error.message}`)
}

function overdueError(id, timeoutMs) {
  const message = `job ${JSON.stringify(id)} has not finished within ${timeoutMs} ms`
  return new CinnabarError(message, { code: 'E_TIMEOUT', retryable: true })
}

module.exports = { JobQueue }
