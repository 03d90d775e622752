'use strict'

const { binding } = require('./bridge.js')
const { CinnabarError } = require('./error.js')
const { handleOf } = require('./handle.js')
const { assertFunction, assertOptions } = require('./options.js')

const OPTIONS = ['prefix']

/** Locks between processes: a token under `lock:{resource}` that dies by itself. */
class DistributedLock {
  #native

  constructor(service, options) {
    assertOptions(options, OPTIONS)
    this.#native = new binding.Lock(handleOf(service), options)
  }

  acquireLock(resource, ttlSeconds = 30) {
    return this.#native.acquire(resource, ttlSeconds)
  }

  releaseLock(resource, token) {
    return this.#native.release(resource, token)
  }

  extendLock(resource, token, ttlSeconds = 30) {
    return this.#native.extend(resource, token, ttlSeconds)
  }

  async withLock(resource, operation, ttlSeconds = 30) {
    assertFunction(operation, 'operation')
    const token = await this.#native.acquire(resource, ttlSeconds)
    if (token === null) {
      const message = `Could not acquire lock for resource: ${resource}`
      throw new CinnabarError(message, { code: 'E_LOCK_HELD', retryable: true })
    }
    try {
      return await operation(token)
    } finally {
      // What the operation did or threw is the answer. A release that fails costs no more than the lock's life.
      await this.#native.release(resource, token).catch(() => false)
    }
  }
}

module.exports = { DistributedLock }
