/** redis-semaphore's Mutex on ioredis, one attempt, without its refresh timer (the others have none either). */
import semaphore from 'redis-semaphore'
import { connect } from './ioredis.mjs'

export function methodsOf(client) {
  return {
    withLock: async (resource, ttlSeconds) => {
      const mutex = new semaphore.Mutex(client, resource, {
        lockTimeout: ttlSeconds * 1000,
        acquireAttemptsLimit: 1,
        refreshInterval: 0,
      })
      if (!(await mutex.tryAcquire())) return false
      await mutex.release()
      return true
    },
    close: () => client.quit(),
  }
}

export async function open(address) {
  return methodsOf(connect(address))
}
