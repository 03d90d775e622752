/** rate-limiter-flexible's RateLimiterRedis on ioredis. It fixes the limit per limiter, so one is made per limit. */
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { connect } from './ioredis.mjs'

export function methodsOf(client) {
  const limiters = new Map()
  const limiterOf = (points, duration) => {
    let limiter = limiters.get(points)
    if (!limiter) {
      limiter = new RateLimiterRedis({ storeClient: client, keyPrefix: 'rlflx', points, duration })
      limiters.set(points, limiter)
    }
    return limiter
  }
  return {
    allow: async (id, limit, windowSeconds) => {
      try {
        await limiterOf(limit, windowSeconds).consume(id)
        return true
      } catch (refusal) {
        if (refusal instanceof RateLimiterRes) return false
        throw refusal
      }
    },
    close: () => client.quit(),
  }
}

export async function open(address) {
  return methodsOf(connect(address))
}
