/** @upstash/ratelimit with its defaults, on ioredis in place of its own client, which speaks HTTP. It fixes the limit per limiter. */
import { createHash } from 'node:crypto'

import { Ratelimit } from '@upstash/ratelimit'
import { connect } from './ioredis.mjs'

const TOKENS = 1_000_000

/** What it asks of its client. Its scripts begin with a flag that only servers of Upstash know, which is left out. */
function clientOn(redis) {
  const known = new Map()
  return {
    async eval(script, keys, args) {
      const own = script.replace(/^#!.*\n/, '')
      const reply = await redis.eval(own, keys.length, ...keys, ...args)
      known.set(sha1(script), sha1(own))
      return reply
    },
    async evalsha(hash, keys, args) {
      if (!known.has(hash)) throw new Error('NOSCRIPT')
      return redis.evalsha(known.get(hash), keys.length, ...keys, ...args)
    },
  }
}

function sha1(text) {
  return createHash('sha1').update(text).digest('hex')
}

export async function open(address) {
  const client = connect(address)
  const redis = clientOn(client)
  const limiters = new Map()
  const limiterOf = (limit, seconds) => {
    let limiter = limiters.get(limit)
    if (!limiter) {
      limiter = new Ratelimit({
        redis,
        prefix: `upstash:${limit}`,
        limiter: Ratelimit.fixedWindow(limit, `${seconds} s`),
      })
      limiters.set(limit, limiter)
    }
    return limiter
  }
  const bucket = new Ratelimit({
    redis,
    prefix: 'upstash:bucket',
    limiter: Ratelimit.tokenBucket(TOKENS, '3600 s', TOKENS),
  })
  return {
    allow: async (id, limit, windowSeconds) => (await limiterOf(limit, windowSeconds).limit(id)).success,
    allowGcra: async (id) => (await bucket.limit(id)).success,
    close: () => client.quit(),
  }
}
