'use strict'

const { CinnabarError } = require('../error.js')

/** A job as it was when it was read. Nothing of it changes by itself. */
class Job {
  // Not a field that a log shows.
  #watch

  constructor(watch, fields) {
    this.#watch = watch
    Object.assign(this, fields)
  }

  finished(options) {
    return this.#watch.finished(this.id, options)
  }
}

/** A job as its handler gets it; what it is made of comes from the native side in this order. */
function activeJob(watch, [, id, name, data, attempt, attempts, crashes, priority, group, timeoutMs, createdAt]) {
  return new Job(watch, {
    id,
    name,
    data: readData(data, id),
    state: 'active',
    attempt,
    attempts,
    crashes,
    priority,
    group,
    timeoutMs,
    createdAt,
  })
}

function readData(text, id) {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    // Why it is none would quote it.
    const message = `the data of job ${JSON.stringify(id)} is no JSON: something else wrote it`
    throw new CinnabarError(message, { code: 'E_INVALID_DATA' })
  }
}

module.exports = { Job, activeJob }
