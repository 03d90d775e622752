import { RateLimiter } from 'cinnabar'
import { clientOf } from '../../client'

const LIMIT = 5
const WINDOW_SECONDS = 10

/** Allows five requests in ten seconds per client, then responds with 429 until the window ends. */
export async function GET(request: Request) {
  const result = await RateLimiter.checkRateLimit(`next:${clientOf(request)}`, LIMIT, WINDOW_SECONDS)
  const status = result.allowed ? 200 : 429
  return Response.json(result, { status, headers: RateLimiter.headers(result) })
}
