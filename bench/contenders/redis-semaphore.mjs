/**
 * redis-semaphore's Mutex on ioredis: one attempt without its refresh timer, as the documented lock of this package has none either; the same
 * with it; and to wait for a lock with its own delays, and as many attempts as it takes.
 */
import semaphore from 'redis-semaphore'
import { connect } from './ioredis.mjs'

export function methodsOf(client) {
  const by = (options) => async (resource, ttlSeconds) => {
    const mutex = new semaphore.Mutex(client, resource, { lockTimeout: ttlSeconds * 1000, ...options })
    if (!(await mutex.tryAcquire())) return false
    await mutex.release()
    return true
  }
  return {
    withLock: by({ acquireAttemptsLimit: 1, refreshInterval: 0 }),
    renewedLock: by({ acquireAttemptsLimit: 1 }),
    waitForLock: async (resource, ttlSeconds) => {
      const mutex = new semaphore.Mutex(client, resource, { lockTimeout: ttlSeconds * 1000, acquireTimeout: 60_000 })
      await mutex.acquire()
      return () => mutex.release()
    },
    close: () => client.quit(),
  }
}

export async function open(address) {
  return methodsOf(connect(address))
}
