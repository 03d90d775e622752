// What stands between a request and a session: each middleware in its framework, `withSession`, the functions of `cinnabar/next`, and the
// store for express-session. Each target is a function of a request to `{ status, body, headers }`, or null if the framework refused it.

import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import { createRequire, Module } from 'node:module'

import { session as forExpress } from 'cinnabar/express'
import { CinnabarStore } from 'cinnabar/express-session'
import { session as forFastify } from 'cinnabar/fastify'
import { session as forHono } from 'cinnabar/hono'
import express from 'express'
import expressSession from 'express-session'
import Fastify from 'fastify'
import { Hono } from 'hono'

import { openHttp } from './http.mjs'
import { fetchHeaders } from './shapes.mjs'

// So that 64 KB and bytes that the parser would refuse reach the middleware.
const LENIENT = { maxHeaderSize: 1 << 20, insecureHTTPParser: true }
const URL_OF_REQUESTS = 'http://localhost/'
const SECRET = 'a secret of this test'

/** What applications do with a session; the text names its user. */
async function work(session, method) {
  if (method !== 'GET' && method !== 'HEAD') await session.update({ seen: 1 })
  return session.userId ?? 'anonymous'
}

/** Makes the targets on a manager; `log` gets the lines that a framework logs. */
export async function makeTargets(sessions, service, log) {
  const closing = []
  const listening = async (server) => {
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))))
    return server.address().port
  }

  const app = express()
  app.use(forExpress({ sessions }))
  app.use(async (request, response) => response.type('text').send(await work(request.session, request.method)))
  const expressPort = await listening(createServer(LENIENT, app))

  const stored = express()
  const store = new CinnabarStore({ service })
  stored.use(expressSession({ store, secret: SECRET, resave: false, saveUninitialized: false, rolling: true }))
  stored.use((request, response) => response.type('text').send(request.session.user ?? 'anonymous'))
  const storedPort = await listening(createServer(LENIENT, stored))

  const fastify = Fastify({ http: LENIENT, logger: { level: 'info', stream: { write: log } } })
  await fastify.register(forFastify, { sessions })
  fastify.all('/', async (request) => work(request.session, request.method))
  await fastify.listen({ port: 0, host: '127.0.0.1' })
  closing.push(() => (fastify.server.closeAllConnections(), fastify.close()))

  const hono = new Hono()
  hono.use(forHono({ sessions }))
  hono.all('/', async (c) => c.text(await work(c.get('session'), c.req.method)))

  const handler = sessions.withSession(async ({ method }, session) => new Response(await work(session, method)))
  const next = nextOn(sessions)

  const overSocket = (port) => () => {
    const http = openHttp(port)
    closing.unshift(async () => http.close())
    return (request) => http.send(request)
  }
  const inProcess = (run) => () => async (request) => {
    const response = await run(request)
    return { status: response.status, body: await response.text(), headers: [...response.headers].join('\n') }
  }
  const fetched = ({ method, lines }) => new Request(URL_OF_REQUESTS, { method, headers: fetchHeaders(lines) })

  return {
    targets: {
      express: overSocket(expressPort),
      fastify: overSocket(fastify.server.address().port),
      'express-session': () => {
        const send = overSocket(storedPort)()
        return (request) => send({ ...request, lines: signed(request.lines) })
      },
      hono: inProcess((request) => hono.request(fetched(request))),
      withSession: inProcess((request) => handler(fetched(request))),
      next: inProcess((request) => next(fetched(request))),
      // Whatever object a program has as the headers of a request.
      objects: inProcess(async ({ method, asObject }) => {
        const request = { method, url: URL_OF_REQUESTS, headers: asObject() }
        const validated = await sessions.validateSession(request, { load: () => null })
        if (validated !== null) throw new Error('a user without a session in the database')
        await sessions.getSession(request)
        await sessions.invalidateToken(request)
        return handler(request)
      }),
    },
    close: async () => {
      for (const close of closing) await close()
    },
  }
}

/** With the right signature for every cookie of express-session, since the store sees no others. */
function signed(lines) {
  const sign = (value) => `s:${value}.${createHmac('sha256', SECRET).update(value).digest('base64').replace(/=+$/, '')}`
  const cookie = (text) =>
    text.replace(/connect\.sid=([^;]*)/g, (_, value) => `connect.sid=${encodeURIComponent(sign(value.toWellFormed()))}`)
  return lines.map(([name, value]) => [name, /^cookie$/i.test(name) ? cookie(value) : value])
}

/** The functions of `cinnabar/next`, with `next/headers` as it is for the request in hand: its cookies are split at the first `=`. */
function nextOn(sessions) {
  let current
  const headers = { headers: async () => current.headers, cookies: async () => current.jar }
  const load = Module._load
  Module._load = (name, ...rest) => (name === 'next/headers' ? headers : load(name, ...rest))
  const { session } = createRequire(import.meta.url)('cinnabar/next')
  Module._load = load
  const { getSession, actionSession, withSession } = session({ sessions })
  const handler = withSession(async ({ method }, session) => new Response(await work(session, method)))
  let last = Promise.resolve()
  const run = async (request) => {
    current = { headers: request.headers, jar: jarOf(request.headers.get('cookie') ?? '') }
    const found = await getSession()
    const action = await actionSession()
    if (found.userId !== action.userId && !action.crossSite) throw new Error('an action has another session')
    if (!action.crossSite) await action.update({ seen: 1 })
    return handler(request)
  }
  return (request) => (last = last.then(() => run(request)))
}

function jarOf(text) {
  const all = text.split(/; */).flatMap((pair) => {
    const at = pair.indexOf('=')
    if (pair === '') return []
    const [name, value] = at === -1 ? [pair, 'true'] : [pair.slice(0, at), pair.slice(at + 1)]
    try {
      return [{ name, value: decodeURIComponent(value) }]
    } catch {
      return []
    }
  })
  return {
    get: (name) => all.findLast((each) => each.name === name),
    getAll: (name) => (name === undefined ? all : all.filter((each) => each.name === name)),
    has: (name) => all.some((each) => each.name === name),
    set: (name, value) => void all.push({ name, value }),
  }
}
