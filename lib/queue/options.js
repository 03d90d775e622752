'use strict'

const { isDate } = require('node:util/types')

const { argumentError } = require('../error.js')
const { assertMilliseconds, describe, ownOptions } = require('../options.js')

const KEEP = { count: true, ageSeconds: true, bytes: true }
const BACKOFF = { type: true, delayMs: true, maxMs: true, jitter: true }
const RATE = { max: true, perMs: true }
const COMMON = {
  delay: true,
  attempts: true,
  backoff: BACKOFF,
  priority: true,
  timeoutMs: true,
  keep: true,
  group: true,
}
const JOB = { ...COMMON, id: true, dedup: { id: true, ttlMs: true } }
const MANY = { name: true, data: true, ...JOB }
const QUEUE = {
  prefix: true,
  leaseMs: true,
  maxBytes: true,
  maxCrashes: true,
  keep: { done: KEEP, dead: KEEP },
  defaults: COMMON,
}
const SCHEDULE = { everyMs: true, cron: true, timeZone: true, startAt: true, endAt: true, limit: true }
const WORKER = {
  concurrency: true,
  limits: { concurrency: true, rate: RATE, group: { concurrency: true, rate: RATE } },
}

/**
 * Reads options as `ownOptions` does, and nested objects for names that map to names of their own. The native side validates the
 * values.
 */
function read(options, names, within = '') {
  const own = ownOptions(options, Object.keys(names), within)
  for (const [name, value] of Object.entries(own)) {
    if (value === undefined) delete own[name]
    else if (names[name] !== true && isGroup(value)) own[name] = read(value, names[name], `${within}${name}.`)
  }
  return own
}

function isGroup(value) {
  try {
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    // A revoked proxy throws here; reading it later reports the error.
    return true
  }
}

const queueOptions = (options) => {
  const { service, ...rest } = read(options, { service: true, ...QUEUE })
  return { service, rest }
}

/** Options of a queue without `service`. */
const queueOptionsOf = (service, options) => ({ service, ...read(options, QUEUE) })

const jobOptions = (options) => (options === undefined ? undefined : read(options, JOB))

/** Each `{ name, data, ...options }`. */
function jobsOf(jobs) {
  const all = listOf(jobs)
  if (!all) throw argumentError(`jobs must be an array, got ${describe(jobs)}`)
  return all.map((job, index) => {
    if (job === undefined) throw argumentError(`jobs[${index}] must be an object, got undefined`)
    return read(job, MANY, `jobs[${index}].`)
  })
}

function listOf(jobs) {
  try {
    // Turns holes into undefined elements, which are then rejected.
    return Array.isArray(jobs) ? Array.from(jobs) : undefined
  } catch (error) {
    throw argumentError('jobs could not be read', error)
  }
}

/** When a job repeats. A `Date` becomes its time in ms. */
function scheduleOptions(schedule) {
  const copy = read(schedule, SCHEDULE)
  for (const name of ['startAt', 'endAt']) if (isDate(copy[name])) copy[name] = Date.prototype.getTime.call(copy[name])
  return copy
}

const workerOptions = (options) => read(options, WORKER)

/** Reads and validates the `timeoutMs` of `close`. */
function readTimeout(options, byDefault) {
  const { timeoutMs = byDefault } = ownOptions(options, ['timeoutMs'])
  if (timeoutMs !== undefined) assertMilliseconds(timeoutMs, 'timeoutMs', 0)
  return timeoutMs
}

module.exports = {
  jobOptions,
  jobsOf,
  queueOptions,
  queueOptionsOf,
  readTimeout,
  scheduleOptions,
  workerOptions,
}
