'use strict'

const { CinnabarError } = require('../error.js')

/** A snapshot of a job. It does not update itself. */
class Job {
  // Not enumerable, so that it does not appear in logs.
  #watch

  constructor(watch, fields) {
    this.#watch = watch
    Object.assign(this, fields)
  }

  finished(options) {
    return this.#watch.finished(this.id, options)
  }
}

/** A job as passed to its handler, built from the fields of the native side, in this order. */
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
    // Without a cause: the parser's message would quote the data.
    const message = `the data of job ${JSON.stringify(id)} is not JSON, so it was not written by cinnabar`
    throw new CinnabarError(message, { code: 'E_INVALID_DATA' })
  }
}

module.exports = { Job, activeJob }
