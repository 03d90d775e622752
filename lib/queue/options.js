'use strict'

const { isDate } = require('node:util/types')

const { argumentError } = require('../error.js')
const { job, queue, schedule: scheduleNames, worker } = require('../option-names.js')
const { assertMilliseconds, describe, ownOptions, readOptions } = require('../options.js')

const NEW_JOB = { name: true, data: true, ...job }

const queueOptions = (options) => {
  const { service, ...rest } = readOptions(options, { service: true, ...queue })
  return { service, rest }
}

/** Options of a queue without `service`. */
const queueOptionsOf = (service, options) => ({ service, ...readOptions(options, queue) })

const jobOptions = (options) => (options === undefined ? undefined : readOptions(options, job))

/** Each `{ name, data, ...options }`. */
function jobsOf(jobs) {
  const all = listOf(jobs)
  if (!all) throw argumentError(`jobs must be an array, got ${describe(jobs)}`)
  return all.map((each, index) => {
    if (each === undefined) throw argumentError(`jobs[${index}] must be an object, got undefined`)
    return readOptions(each, NEW_JOB, { within: `jobs[${index}].` })
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
  const copy = readOptions(schedule, scheduleNames)
  for (const name of ['startAt', 'endAt']) if (isDate(copy[name])) copy[name] = Date.prototype.getTime.call(copy[name])
  return copy
}

const workerOptions = (options) => readOptions(options, worker)

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
