// Sessions in Hono: a limited login, a protected route, devices, and logout, here or everywhere.
//
//   node examples/hono/main.mts
//
// Node.js runs TypeScript from version 22.18. Without REDIS_URL it runs on the embedded engine. In this repository the name `cinnabar`
// leads to the repository itself. Only the start of the server is of Node.js: Deno and Bun run `app.fetch` themselves.
import { serve } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import { RateLimiter, SessionManager } from 'cinnabar'
import { session } from 'cinnabar/hono'
import { Hono } from 'hono'

process.env.REDIS_URL ??= 'memory:'

const sessions = new SessionManager<{ name: string }>(undefined, { ...SessionManager.presets.OWASP, maxPerUser: 5 })
const required = session({ sessions, required: true })

const app = new Hono()
  .use(session({ sessions }))
  .post('/login', async (c) => {
    // Behind proxies of your own, the address is in X-Forwarded-For.
    const result = await RateLimiter.checkRateLimit(`login:${getConnInfo(c).remote.address}`, 5, 60)
    if (!result.allowed) return c.json({ error: 'Too many attempts' }, 429, RateLimiter.headers(result))
    const { name, password } = await c.req.parseBody()
    // Stands for a look-up of the user, and a check of the password against its hash.
    if (name !== 'ada' || password !== 'cinnabar') return c.json({ error: 'Wrong name or password' }, 401)
    await c.get('session').signIn('user-1', { name })
    return c.redirect('/profile', 303)
  })
  .get('/profile', required, (c) => c.json(c.get('session').data))
  .get('/devices', required, async (c) => c.json(await c.get('session').devices()))
  .post('/logout', async (c) => {
    await c.get('session').destroy()
    return c.redirect('/', 303)
  })
  .post('/logout-everywhere', required, async (c) => {
    await sessions.invalidateUser(c.get('session').userId!)
    await c.get('session').destroy()
    return c.redirect('/', 303)
  })
  .get('/', (c) => c.text('POST /login with name=ada and password=cinnabar, then GET /profile'))

const options = { fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env.PORT ?? 3000) }
serve(options, ({ port }) => console.log(`http://localhost:${port}`))
