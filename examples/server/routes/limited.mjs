// A route that allows five requests in ten seconds (or WINDOW_SECONDS) per client, with the headers that say so.
import { RateLimiter } from '../../../index.js'
import { clientOf, send } from '../http.mjs'

const LIMIT = 5
const WINDOW_SECONDS = Number(process.env.WINDOW_SECONDS) || 10

export function limitedRoutes({ proxies }) {
  return {
    'GET /api/limited': async (request, response) => {
      const result = await RateLimiter.checkRateLimit(`${clientOf(request, proxies)}:limited`, LIMIT, WINDOW_SECONDS)
      const { allowed, remaining, resetTime, source } = result
      const body = { allowed, remaining, limit: LIMIT, windowSeconds: WINDOW_SECONDS, resetTime, source }
      if (!allowed) {
        body.error = {
          code: 'too_many_requests',
          message: `Refused: ${LIMIT} requests in ${WINDOW_SECONDS} seconds are used up.`,
        }
      }
      send(response, allowed ? 200 : 429, body, RateLimiter.headers(result, LIMIT))
    },
  }
}
