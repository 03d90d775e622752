/** redlock on one server, one attempt; to wait for a lock with its own delays, and as many attempts as it takes. */
import Redlock from 'redlock'
import { connect } from './ioredis.mjs'

export async function open(address) {
  const client = connect(address)
  const once = new Redlock([client], { retryCount: 0 })
  const waiting = new Redlock([client], { retryCount: -1 })
  const lockOnce = async (resource, ttlSeconds) => {
    const lock = await once.lock(`redlock:${resource}`, ttlSeconds * 1000)
    await lock.unlock()
    return true
  }
  return {
    withLock: lockOnce,
    renewedLock: lockOnce,
    waitForLock: async (resource, ttlSeconds) => {
      const lock = await waiting.lock(`redlock:${resource}`, ttlSeconds * 1000)
      return () => lock.unlock()
    },
    close: () => client.quit(),
  }
}
