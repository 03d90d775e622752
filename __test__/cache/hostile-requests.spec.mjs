// Requests as strangers may send them, through the cache of each framework: none fails, and none gets what is stored for another.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, describe, test } from 'node:test'

import { serve } from '@hono/node-server'
import { cache as forExpress } from 'cinnabar/express'
import { cache as forFastify } from 'cinnabar/fastify'
import { cache as forHono } from 'cinnabar/hono'
import express from 'express'
import fc from 'fast-check'
import Fastify from 'fastify'
import { Hono } from 'hono'

import { engines } from '../support/engines.mjs'
import { openHttp } from '../support/headers/http.mjs'

const [memory] = engines
const LENIENT = { maxHeaderSize: 1 << 20, insecureHTTPParser: true }
const service = await memory.makeService()
after(() => service.disconnect())

const listening = async (server) => {
  if (!server.listening) await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  after(() => {
    server.close()
    server.closeAllConnections()
  })
  return server.address().port
}

const VARY = ['x-user', 'host']

/** Each starts an application that responds with the user of the request, which its header `x-user` names; returns its port. */
const APPS = {
  express(options) {
    const app = express()
    app.use(forExpress(options))
    app.use((request, response) => response.type('text').send(request.headers['x-user'] ?? ''))
    return listening(createServer(LENIENT, app))
  },
  async fastify(options) {
    const app = Fastify({ http: LENIENT })
    await app.register(forFastify, options)
    app.all('/', async (request, reply) => reply.type('text/plain').send(request.headers['x-user'] ?? ''))
    after(() => (app.server.closeAllConnections(), app.close()))
    await app.listen({ port: 0, host: '127.0.0.1' })
    return app.server.address().port
  },
  hono(options) {
    const app = new Hono()
    app.use(forHono(options))
    app.all('*', (c) => c.text(c.req.header('x-user') ?? ''))
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1', serverOptions: LENIENT })
    return listening(server)
  },
}

const odd = fc.constantFrom('', '"', '*', 'W/"', '"a"', 'W/"a", "b"', ',,,', '"'.repeat(5001), 'W/'.repeat(5000), 'Tue, 01 Sep 2026 10:00:00 GMT', '\x80\xff', 'no-cache', 'bytes=0-1', '__proto__', 'gzip', 'example.com:99999') // prettier-ignore
const names = fc.constantFrom('If-None-Match', 'If-Modified-Since', 'Cache-Control', 'Range', 'Accept-Encoding', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'Cookie', 'Authorization', 'Pragma', '__proto__', 'Constructor', 'Vary', 'Cache-Status') // prettier-ignore
const requests = fc.record({
  method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST', 'OPTIONS'),
  user: fc.constantFrom('ann', 'ben', 'cleo'),
  lines: fc.array(fc.tuple(names, odd), { maxLength: 6 }),
})

describe('hostile requests', () => {
  for (const [name, start] of Object.entries(APPS)) {
    test(`of ${name}`, async () => {
      const port = await start({ cache: service.cache, vary: VARY })
      const http = openHttp(port)
      after(() => http.close())
      let hits = 0
      const send = async ({ method, user, lines }) => {
        const response = await http.send({ method, lines: [['X-User', user], ...lines], encoding: 'latin1' })
        // Hono refuses what no request of fetch can have.
        if (response === null || (name === 'hono' && response.status === 400)) return
        assert.ok([200, 304].includes(response.status), `${response.status} ${response.body}`)
        assert.match(response.headers, /^cache-status: (?:.*, )?cinnabar; (?:hit|fwd)/im)
        if (method !== 'HEAD' && response.status === 200) assert.equal(response.body, user)
        if (/cinnabar; hit/.test(response.headers)) hits++
      }
      await fc.assert(fc.asyncProperty(requests, send), { numRuns: 300, seed: 7 })
      assert.ok(hits > 30, `${hits} hits`)
    })
  }
})
