// The middleware in the frameworks' own types.
import { SessionManager } from 'cinnabar'
import { session as forExpress, type WithSession } from 'cinnabar/express'
import { session as forFastify } from 'cinnabar/fastify'
import { session as forHono } from 'cinnabar/hono'
import express, { type Request } from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'

const sessions = new SessionManager<{ role: string }>()

export const hono = new Hono()
  .use(forHono({ sessions }))
  .post('/login', async (c) => {
    await c.get('session').signIn('ada', { role: 'admin' })
    // @ts-expect-error no such field
    await c.get('session').update({ rol: 'admin' })
    return c.redirect('/')
  })
  .get('/profile', forHono({ sessions, required: true }), (c) => c.json(c.get('session').data?.role))

export const app = express()
app.use(forExpress({ sessions }))
app.post('/login', async (request, response) => {
  const { session } = request as WithSession<Request, { role: string }>
  await session.signIn('ada', { role: 'admin' })
  session.commit(response).redirect(303, '/')
})

export async function fastify(): Promise<void> {
  const app = Fastify()
  await app.register(forFastify, { sessions, required: true })
  app.get('/', async (request) => request.session.userId)
  // @ts-expect-error misspelt
  await app.register(forFastify, { require: true })
}

// @ts-expect-error not a manager
forHono({ sessions: {} })
