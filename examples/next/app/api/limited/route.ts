import { RateLimiter } from 'cinnabar'

const LIMIT = 5
const WINDOW_SECONDS = 10

/** Answers five times in ten seconds per client, then 429 until the window ends. */
export async function GET(request: Request) {
  // Behind a proxy this header names the client; only trust it when a proxy of yours sets it.
  const client = request.headers.get('x-forwarded-for')?.split(',')[0].trim() || 'unknown'
  const result = await RateLimiter.checkRateLimit(`next:${client}`, LIMIT, WINDOW_SECONDS)
  const status = result.allowed ? 200 : 429
  return Response.json(result, { status, headers: RateLimiter.headers(result) })
}
