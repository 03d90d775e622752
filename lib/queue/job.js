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

/** Names the fields of a leased job, which the native side returns in the order of `leased_job` in src/js/queue/worker.rs. */
function leasedJob([number, id, name, data, attempt, attempts, crashes, priority, group, timeoutMs, createdAt]) {
  const fields = { id, name, data, state: 'active', attempt, attempts, crashes, priority, group, timeoutMs, createdAt }
  return { number, fields }
}

/** A leased job as passed to its handler. */
function activeJob(watch, { fields }) {
  fields.data = readData(fields.data, fields.id)
  return new Job(watch, fields)
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

module.exports = { Job, activeJob, leasedJob }
