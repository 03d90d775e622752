import { serve } from '@hono/node-server'
import { RateLimiter } from 'cinnabar'
import { rateLimit, session } from 'cinnabar/hono'
import { Hono } from 'hono'

const limiter = new RateLimiter(undefined, { policies: { login: { limit: 2, per: 60 } } })
const app = new Hono()
app.use(session())
app.post('/login', rateLimit({ limiter, policy: 'login', identify: () => 'all' }), async (context) => {
  await context.get('session').signIn('ada')
  return context.text('welcome')
})
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) => console.log(port))
