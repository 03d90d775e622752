// Sessions, the limiter and the cache in Deno: a limited login, a protected route, and a cached report.
//
//   deno run --allow-ffi --allow-read --allow-env --allow-net=127.0.0.1 examples/deno/main.ts
//
// The addon needs only --allow-ffi; --allow-net is for the HTTP server of this file, and --allow-read for a linked package. In this
// repository the name `cinnabar` leads to the repository itself, in your own project to the package from npm.
// Without REDIS_URL it runs on the embedded engine. TRUSTED_PROXIES is the number of your own proxies in front of it, by default 0.
import { ApiCache, clientIp, RateLimiter, redisService, SessionManager } from 'npm:cinnabar'

const LIMIT = 5
const WINDOW_SECONDS = 10
const PROXIES = Number(Deno.env.get('TRUSTED_PROXIES') ?? 0)

if (!Deno.env.get('REDIS_URL')) Deno.env.set('REDIS_URL', 'memory:')

const sessions = new SessionManager<{ name: string }>(undefined, { ...SessionManager.presets.OWASP, maxPerUser: 5 })

type Handler = (request: Request, client: string) => Response | Promise<Response>

const routes: Record<string, Handler> = {
  'POST /login': (request, client) => limited(`login:${client}`, () => login(request)),
  'GET /profile': sessions.withSession((_request, session) => Response.json(session.data), { required: true }),
  'POST /logout': sessions.withSession(async (_request, session) => {
    await session.destroy()
    return new Response('Signed out')
  }),
  'GET /report': (_request, client) => limited(client, report),
}

const server = Deno.serve({ hostname: '127.0.0.1', port: Number(Deno.env.get('PORT') ?? 3000) }, (request, info) => {
  const client = clientIp(request, { trustedProxies: PROXIES, remoteAddress: info.remoteAddr }) ?? 'unknown'
  const route = routes[`${request.method} ${new URL(request.url).pathname}`]
  return route?.(request, client) ?? Response.json({ error: 'Not found' }, { status: 404 })
})

/** Signs in, by what `withSession` does in front of a handler and after it. */
async function login(request: Request) {
  const form = await request.formData().catch(() => new FormData())
  // Stands for a look-up of the user, and a check of the password against its hash.
  if (form.get('name') !== 'ada' || form.get('password') !== 'cinnabar') {
    return Response.json({ error: 'Wrong name or password' }, { status: 401 })
  }
  const session = await sessions.fromRequest(request)
  if (session.crossSite) return Response.json({ error: 'The request comes from another site' }, { status: 403 })
  await session.signIn('user-1', { name: 'Ada' })
  return session.commit(new Response(null, { status: 303, headers: { location: '/profile' } }))
}

/** Responds with a report from the cache. */
async function report() {
  let from = 'cache'
  const report = await ApiCache.getOrSet(
    ApiCache.keyFor('/report'),
    async () => {
      from = 'source'
      // Simulates a slow database or service.
      await new Promise((resolve) => setTimeout(resolve, 300))
      return { made: new Date().toISOString() }
    },
    { ttl: 30 },
  )
  return Response.json({ from, ...report })
}

/** Calls the handler unless the client has used up its requests. */
async function limited(id: string, handler: () => Promise<Response>) {
  const result = await RateLimiter.checkRateLimit(`deno:${id}`, LIMIT, WINDOW_SECONDS)
  const response = result.allowed ? await handler() : Response.json({ error: 'Too many requests' }, { status: 429 })
  for (const [name, value] of Object.entries(RateLimiter.headers(result))) response.headers.set(name, value)
  return response
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  Deno.addSignalListener(signal, async () => {
    await server.shutdown()
    await redisService.disconnect()
    Deno.exit(0)
  })
}
