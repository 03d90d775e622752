'use strict'

const { binding, getBridge } = require('./bridge.js')
const { Parts, assertGoing, bind, limitsWithin, unlessAborted } = require('./call-options.js')
const { later } = require('./clock.js')
const { CinnabarError, argumentError, isUnavailable } = require('./error.js')
const { evaluation, register } = require('./hot-reload.js')
const { derivedOf, isLazy, limitsOf, madeOf } = require('./native-service.js')
const { assertFunction, describe } = require('./options.js')
const { tellDeath } = require('./queue/dead-jobs.js')
const { Events } = require('./queue/events.js')
const { Job } = require('./queue/job.js')
const {
  jobOptions,
  jobsOf,
  plainOptions,
  queueOptions,
  scheduleOptions,
  waitOf,
  workerOptions,
} = require('./queue/options.js')
const { Waits } = require('./queue/pending-results.js')
const { Worker } = require('./queue/worker.js')

// The default page size of a list.
const PAGE = 100

let scratchService

/** A queue of jobs, which are stored until a worker has completed them. */
class JobQueue {
  #made
  #limits
  #shared
  // How a job refers to its queue.
  #watch = { finished: (id, options) => this.#finished(id, options) }

  constructor(name, options) {
    const parts = Parts.of(name, new.target)
    if (parts) {
      this.#made = parts.made
      this.#limits = parts.limits
      this.#shared = parts.shared
      return
    }
    const { service, rest } = queueOptions(options)
    const make = (handle) => ({ native: new binding.Queue(handle, name, rest) })
    // A mistake in them shows at once, even if the service is created at its first use.
    if (service === undefined || isLazy(service)) make(scratch())
    this.#made = madeOf(service, make)
    this.#limits = limitsOf(service)
    this.#shared = share(name, () => this.#native)
  }

  get #native() {
    return this.#made().native
  }

  get name() {
    return this.#shared.name
  }

  with(options) {
    const limits = limitsWithin(this.#limits, options)
    const made = derivedOf(this.#made, ({ native }) => ({ native: native.within(limits) }))
    return bind(JobQueue, this, { made, limits, shared: this.#shared })
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
    assertGoing(this.#limits)
    this.#assertMade()
    const { workers, events } = this.#shared
    const found = evaluation()
    let forget
    const worker = new Worker({
      watch: this.#watch,
      handler,
      concurrency: checked.concurrency ?? 1,
      mostBytes: this.#native.maxBytes,
      start: (told) => this.#native.process(checked, told),
      complain: (error) => complain(this.name, events, error),
      mourn: (job, failure) => tellDeath(this.#native.scope, this.name, job, failure),
      ended: () => {
        workers.delete(worker)
        forget()
      },
    })
    workers.add(worker)
    forget = register(found, `worker ${this.#native.scope}`, () => void worker.close())
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
    const { offset = 0, limit = PAGE } = plainOptions(options, 'offset', 'limit')
    return this.#native.repeats(offset, limit)
  }

  async get(id) {
    const fields = await this.#native.get(id)
    return fields && new Job(this.#watch, fields)
  }

  async list(state, options) {
    const { offset = 0, limit = PAGE } = plainOptions(options, 'offset', 'limit')
    const jobs = await this.#native.list(state, offset, limit)
    return jobs.map((fields) => new Job(this.#watch, fields))
  }

  async logs(id, options) {
    const { offset = 0, limit = PAGE } = plainOptions(options, 'offset', 'limit')
    return this.#native.logs(id, offset, limit)
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
    const { limit = Number.MAX_SAFE_INTEGER } = plainOptions(options, 'limit')
    return this.#native.redrive(limit)
  }

  async drain(options) {
    const { delayed = false } = plainOptions(options, 'delayed')
    if (typeof delayed !== 'boolean') throw argumentError(`delayed must be true or false, got ${describe(delayed)}`)
    return this.#native.drain(delayed)
  }

  async clean(state, options) {
    const { olderThanMs = 0, limit = Number.MAX_SAFE_INTEGER } = plainOptions(options, 'olderThanMs', 'limit')
    return this.#native.clean(state, olderThanMs, limit)
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
    const timeoutMs = waitOf(options)
    const { workers, events, waits } = this.#shared
    const closed = await Promise.all([...workers].map((worker) => worker.close({ timeoutMs })))
    events.removeAll()
    waits.refuse(new CinnabarError('this queue was closed', { code: 'E_CLOSED' }))
    return { unfinished: closed.flatMap(({ unfinished }) => unfinished) }
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.close()
  }

  // For methods that return no promise.
  #assertMade() {
    const { refused } = this.#made()
    if (refused) throw refused
  }

  #listen(event, listener, once) {
    this.#assertMade()
    const { events } = this.#shared
    events.add(event, listener, once)
    const found = evaluation()
    if (found) register(found, `on ${event} ${this.#native.scope ?? this.name}`, () => events.remove(event, listener))
  }

  // Reads the job first and registers a waiter, so that its outcome is kept. Events then arrive sooner than polling would.
  async #finished(id, options) {
    const timeoutMs = waitOf(options, undefined, 1)
    assertGoing(this.#limits)
    const { events, waits } = this.#shared
    const wait = waits.add(id)
    let endLate, endEarly
    const late = new Promise((_, reject) => {
      if (timeoutMs !== undefined) endLate = later(timeoutMs, () => reject(overdue(id, timeoutMs)))
    })
    try {
      events.update()
      void waits.look(id)
      if (!events.isHeard) {
        // After a reconnect, calls succeed before the subscription is back, so events in between would be missed.
        endEarly = waits.lookOften()
        void events.heard()?.then(() => {
          endEarly()
          return waits.look(id)
        })
      }
      return await unlessAborted(this.#limits, Promise.race([wait.promise, late]))
    } finally {
      endLate?.()
      endEarly?.()
      wait.end()
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
  const waits = new Waits(
    (id, counted) => open().look(id, counted),
    (id) => open().unwait(id),
  )
  const events = new Events(
    name,
    (told) => open().listen(told),
    waits,
    () => open().scope,
  )
  return { name, events, waits, workers: new Set() }
}

function complain(name, events, error) {
  if (error === undefined || events.emit('error', error)) return
  // Unavailability is already reported by the service.
  if (!isUnavailable(error))
    console.warn(`cinnabar: a worker of the queue ${JSON.stringify(name)} is paused by an error: ${error.message}`)
}

function overdue(id, timeoutMs) {
  const message = `job ${JSON.stringify(id)} has not finished within ${timeoutMs} ms`
  return new CinnabarError(message, { code: 'E_TIMEOUT', retryable: true })
}

module.exports = { JobQueue }
