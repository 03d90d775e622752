import { withRateLimit } from 'cinnabar/next'
import { clientOf } from '../../client'

/** Allows five requests in ten seconds per client, then responds with 429 until the window ends. */
export const GET = withRateLimit(() => Response.json({ allowed: true }), {
  policy: { limit: 5, windowSeconds: 10 },
  identify: (request) => `next:${clientOf(request)}`,
})
