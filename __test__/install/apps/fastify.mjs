import { RateLimiter } from 'cinnabar'
import { rateLimit, session } from 'cinnabar/fastify'
import fastify from 'fastify'

const limiter = new RateLimiter(undefined, { policies: { login: { limit: 2, per: 60 } } })
const app = fastify()
await app.register(session)
await app.register(rateLimit, { limiter, policy: 'login' })
app.post('/login', async (request) => {
  await request.session.signIn('ada')
  return 'welcome'
})
await app.listen({ host: '127.0.0.1', port: 0 })
console.log(app.server.address().port)
