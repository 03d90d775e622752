// The limiter and the cache in Deno.
//
//   deno run --allow-ffi --allow-read --allow-env --allow-net=127.0.0.1 examples/deno/main.ts
//
// The addon needs only --allow-ffi; --allow-net is for the HTTP server of this file, and --allow-read for a linked package. In this
// repository the name `cinnabar` leads to the repository itself, in your own project to the package from npm.
// Without REDIS_URL it runs on the embedded engine. TRUSTED_PROXIES is the number of your own proxies in front of it, by default 0.
import { ApiCache, RateLimiter, redisService } from 'npm:cinnabar'

const LIMIT = 5
const WINDOW_SECONDS = 10
const PROXIES = Number(Deno.env.get('TRUSTED_PROXIES') ?? 0)

if (!Deno.env.get('REDIS_URL')) Deno.env.set('REDIS_URL', 'memory:')

const server = Deno.serve(
  { hostname: '127.0.0.1', port: Number(Deno.env.get('PORT') ?? 3000) },
  async (request, info) => {
    const socket = info.remoteAddr.transport === 'tcp' ? info.remoteAddr.hostname : 'unknown'
    const result = await RateLimiter.checkRateLimit(`deno:${clientOf(request, socket)}`, LIMIT, WINDOW_SECONDS)
    const headers = RateLimiter.headers(result)
    if (!result.allowed) return Response.json({ error: 'Too many requests' }, { status: 429, headers })

    const { pathname } = new URL(request.url)
    let from = 'cache'
    const report = await ApiCache.getOrSet(
      ApiCache.keyFor(pathname),
      async () => {
        from = 'source'
        // Simulates a slow database or service.
        await new Promise((resolve) => setTimeout(resolve, 300))
        return { path: pathname, made: new Date().toISOString() }
      },
      { ttl: 30 },
    )
    return Response.json({ from, ...report }, { headers })
  },
)

/**
 * The client's address. Each proxy appends the address that called it to X-Forwarded-For, so with proxies of your own in
 * front, the client is that many entries before the last. Clients can forge everything further left.
 */
function clientOf(request: Request, socket: string) {
  const forwarded = request.headers.get('x-forwarded-for')?.split(',') ?? []
  return ([...forwarded, socket].at(-1 - PROXIES) ?? socket).trim()
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  Deno.addSignalListener(signal, async () => {
    await server.shutdown()
    await redisService.disconnect()
    Deno.exit(0)
  })
}
