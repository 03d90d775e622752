import { RateLimiter } from 'cinnabar'
import { rateLimit, session } from 'cinnabar/express'
import express from 'express'

const limiter = new RateLimiter(undefined, { policies: { login: { limit: 2, per: 60 } } })
const app = express()
app.use(session())
app.post('/login', rateLimit({ limiter, policy: 'login' }), async (request, response) => {
  await request.session.signIn('ada')
  response.send('welcome')
})
const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port))
