'use strict'

const { CinnabarError } = require('../error.js')
const { lostError } = require('./errors.js')

/** Waits until enough replicas have stored an acquired lock. If they do not in time, releases the lock and rejects. */
async function replicate(lock, handle, { count, timeoutMs }) {
  let stored
  try {
    stored = await handle.replicated(count, timeoutMs)
  } catch (error) {
    await lock.release()
    throw error
  }
  if (stored >= count && lock.held) return
  await lock.release()
  if (stored === null || stored >= count) throw lostError(lock.resource, { retryable: true })
  const message = `${stored} of ${count} replicas stored the lock within ${timeoutMs} ms`
  throw new CinnabarError(message, { code: 'E_UNAVAILABLE', retryable: true })
}

module.exports = { replicate }
