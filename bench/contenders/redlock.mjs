/** redlock on one server, one attempt. */
import Redlock from 'redlock'
import { connect } from './ioredis.mjs'

export async function open(address) {
  const client = connect(address)
  const redlock = new Redlock([client], { retryCount: 0 })
  return {
    withLock: async (resource, ttlSeconds) => {
      const lock = await redlock.lock(`redlock:${resource}`, ttlSeconds * 1000)
      await lock.unlock()
      return true
    },
    close: () => client.quit(),
  }
}
