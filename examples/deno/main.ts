// The limiter and the cache in Deno.
//
//   deno run --allow-ffi --allow-read --allow-env --allow-net=127.0.0.1 examples/deno/main.ts
//
// The addon needs --allow-ffi alone; --allow-net is for the HTTP server of this file, and --allow-read for a package that is linked.
// In this repository the name leads to the repository itself, in a project of yours to the package from npm.
// Without REDIS_URL it runs on the embedded engine.
import { ApiCache, RateLimiter, redisService } from 'npm:cinnabar'

const LIMIT = 5
const WINDOW_SECONDS = 10

if (!Deno.env.get('REDIS_URL')) Deno.env.set('REDIS_URL', 'memory:')

const server = Deno.serve(
  { hostname: '127.0.0.1', port: Number(Deno.env.get('PORT') ?? 3000) },
  async (request, info) => {
    const client = info.remoteAddr.transport === 'tcp' ? info.remoteAddr.hostname : 'unknown'
    const result = await RateLimiter.checkRateLimit(`deno:${client}`, LIMIT, WINDOW_SECONDS)
    const headers = RateLimiter.headers(result)
    if (!result.allowed) return Response.json({ error: 'Too many requests' }, { status: 429, headers })

    const { pathname } = new URL(request.url)
    let from = 'cache'
    const answer = await ApiCache.getOrSet(
      ApiCache.keyFor(pathname),
      async () => {
        from = 'source'
        // Stands for a database or another service that takes its time.
        await new Promise((resolve) => setTimeout(resolve, 300))
        return { path: pathname, made: new Date().toISOString() }
      },
      { ttl: 30 },
    )
    return Response.json({ from, ...answer }, { headers })
  },
)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  Deno.addSignalListener(signal, async () => {
    await server.shutdown()
    await redisService.disconnect()
    Deno.exit(0)
  })
}
