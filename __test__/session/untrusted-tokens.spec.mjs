// What strangers send in place of an id or a token is not found; what programmers get wrong is refused.
import assert from 'node:assert/strict'
import { createServer, get } from 'node:http'
import { describe, test } from 'node:test'

import { SessionManager } from 'cinnabar'

import { refuses } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const CANNOT_BE = ['', '\0', 'a\0b', 'x'.repeat(70_000), 'ü'.repeat(40_000), '\ud800', 'a\udc00b']

/** As in Bun. */
class CookieMap {
  get = () => 'tok'
  has = () => true
  get [Symbol.toStringTag]() {
    return 'CookieMap'
  }
}

/** As in Astro. */
class AstroCookies {
  get = (name) => (name === 'session' ? { value: 'tok' } : undefined)
  has = (name) => name === 'session'
  set = () => {}
  headers = () => [][Symbol.iterator]()
}

for (const engine of engines) {
  describe(`what strangers send on ${engine.name}`, () => {
    const withSessions = (run) => async () => {
      const service = await engine.makeService()
      try {
        await run(new SessionManager(service))
      } finally {
        await service.disconnect()
      }
    }

    const tokenIn = async (sessions, request, options) => {
      let seen = null
      const load = () => void (seen = 'asked')
      await sessions.validateSession(request, { load, ...options })
      return seen
    }

    test(
      'an id that cannot be one is not found',
      withSessions(async (sessions) => {
        for (const id of CANNOT_BE) {
          assert.equal(await sessions.getSession(id), null)
          assert.equal(await sessions.updateSession(id, { a: 1 }), false)
          assert.equal(await sessions.touch(id), false)
          assert.equal(await sessions.extendSession(id), false)
          assert.equal(await sessions.destroySession(id), 0)
          assert.equal(await sessions.invalidateToken(id), 0)
          assert.equal(await sessions.validateSession(id, { load: () => assert.fail('it was loaded') }), null)
        }
      }),
    )

    test(
      'what the programmer chooses is still refused',
      withSessions(async (sessions) => {
        for (const id of CANNOT_BE) {
          await refuses(sessions.storeSession(id, {}), 'E_INVALID_ARGUMENT')
          await refuses(sessions.createSession('u', {}, { id }), 'E_INVALID_ARGUMENT')
          await refuses(sessions.createSession(id), 'E_INVALID_ARGUMENT')
        }
        for (const id of [undefined, null, 42, {}]) await refuses(sessions.getSession(id), 'E_INVALID_ARGUMENT')
        for (const seconds of [0, -1, NaN, '60']) {
          await refuses(sessions.extendSession('\0', seconds), 'E_INVALID_ARGUMENT')
        }
        await refuses(sessions.updateSession('\0', 42), 'E_INVALID_ARGUMENT')
        for (const cookie of [5, '', null, 'a b', 'a=b', 'a;b', 'ü', {}]) {
          await refuses(tokenIn(sessions, 'tok', { cookie }), 'E_INVALID_ARGUMENT', /cookie/)
          await refuses(sessions.getSession({ headers: {} }, { cookie }), 'E_INVALID_ARGUMENT', /cookie/)
        }
      }),
    )

    test(
      'an invalid token is null, and nothing is loaded',
      withSessions(async (sessions) => {
        for (const headers of [
          { cookie: 'session=%00' },
          { cookie: 'session=a%00b' },
          { cookie: `session=${'x'.repeat(70_000)}` },
          { authorization: 'Bearer a\0' },
          { authorization: ['Bearer \ud800'] },
          { cookie: 42 },
          { cookie: null, authorization: {} },
          { cookie: [null, 7] },
        ]) {
          assert.equal(await tokenIn(sessions, { headers }), null)
        }
      }),
    )

    test(
      'headers are found whatever their case, and the first cookie that is not empty counts',
      withSessions(async (sessions) => {
        for (const request of [
          { headers: { Cookie: 'session=tok' } },
          { headers: { COOKIE: ['a=b', 'session=tok'] } },
          { headers: { Authorization: 'Bearer tok' } },
          { headers: { AUTHORIZATION: 'bearer tok' } },
          { headers: { Authorization: ['Bearer tok'] } },
          { headers: { authorization: 'Basic abc', cookie: 'session=tok' } },
          { headers: { cookie: 'session=; session=tok' } },
          { headers: { cookie: 'session=""; session=tok' } },
          { headers: [['Cookie', 'session=tok']] },
          { headers: ['Host', 'a', 'Cookie', 'session=tok'] },
          { headers: new Map([['Cookie', 'session=tok']]) },
          new Map([['Cookie', 'session=tok']]),
        ]) {
          assert.equal(await tokenIn(sessions, request), 'asked', JSON.stringify(request))
        }
      }),
    )

    test(
      'the cookies of Next.js are taken, and what is no request is a typed error and never an empty session',
      withSessions(async (sessions) => {
        const cookies = (...pairs) => {
          const all = pairs.map(([name, value]) => ({ name, value }))
          return {
            get: (name) => all.find((cookie) => cookie.name === name),
            getAll: (name) => all.filter((cookie) => cookie.name === name),
            has: (name) => all.some((cookie) => cookie.name === name),
            size: all.length,
            [Symbol.iterator]: () => new Map(all.map((cookie) => [cookie.name, cookie])).entries(),
          }
        }
        for (const jar of [cookies(['session', 'tok']), cookies(['a', 'b'], ['session', ''], ['session', 'tok'])]) {
          assert.equal(await tokenIn(sessions, jar), 'asked')
        }
        assert.equal(await tokenIn(sessions, cookies(['sid', 'tok']), { cookie: 'sid' }), 'asked')
        for (const jar of [cookies(), cookies(['other', 'tok']), cookies(['session', '\0'])]) {
          assert.equal(await tokenIn(sessions, jar), null)
        }
        const id = await sessions.createSession('ann')
        assert.equal((await sessions.getSession(cookies(['session', id]))).userId, 'ann')

        // As Headers are in Bun.
        class BunHeaders extends Headers {
          getAll() {
            return []
          }
          toJSON() {
            return Object.fromEntries(this)
          }
        }
        const headers = new BunHeaders({ cookie: 'session=tok' })
        for (const request of [headers, { headers }]) assert.equal(await tokenIn(sessions, request), 'asked')

        const form = new FormData()
        form.set('cookie', 'session=tok')
        const promised = Promise.resolve(cookies(['session', 'tok']))
        for (const [mistake, message] of [
          [new URLSearchParams('cookie=session%3Dtok&session=tok'), /URLSearchParams/],
          [form, /FormData/],
          [{ headers: new URLSearchParams('cookie=session%3Dtok') }, /expected a token/],
          [promised, /a promise: await it/],
          [Object.assign(Promise.resolve(), cookies(['session', 'tok'])), /a promise: await it/],
          [{ headers: Promise.resolve(new Headers()) }, /a promise: await it/],
          [{ cookie: 'session=tok', host: 'a' }, /pass it as \{ headers \}/],
          [{ Authorization: ['Bearer tok'] }, /pass it as \{ headers \}/],
          [new CookieMap(), /pass the request/],
          [new AstroCookies(), /pass the request/],
          [{ headers: new CookieMap() }, /expected a token/],
          [new WeakMap(), /expected a token/],
          [{}, /expected a token/],
          [{ headers: undefined }, /expected a token/],
          [{ headers: 'cookie: session=tok' }, /expected a token/],
          [undefined, /expected a token/],
          [null, /expected a token/],
          [42, /expected a token/],
          [() => 'tok', /expected a token/],
        ]) {
          await refuses(tokenIn(sessions, mistake), 'E_INVALID_ARGUMENT', message)
          await refuses(sessions.invalidateToken(mistake), 'E_INVALID_ARGUMENT', message)
          const isObject = typeof mistake === 'object' && mistake !== null
          await refuses(sessions.getSession(mistake), 'E_INVALID_ARGUMENT', isObject ? message : undefined)
        }
      }),
    )

    test(
      'a server with such a cookie responds 401 and goes on',
      withSessions(async (sessions) => {
        const server = createServer(async (request, response) => {
          const user = await sessions.validateSession(request, { load: () => null })
          response.writeHead(user ? 200 : 401).end()
        }).listen(0, '127.0.0.1')
        await new Promise((resolve) => server.once('listening', resolve))
        const { port } = server.address()
        for (const cookie of ['session=%00', 'session=%ff', 'session=%', 'session=a%00b', 'session=']) {
          const status = await new Promise((resolve, reject) =>
            get({ port, host: '127.0.0.1', headers: { cookie }, agent: false }, (response) => {
              response.resume()
              resolve(response.statusCode)
            }).on('error', reject),
          )
          assert.equal(status, 401, cookie)
        }
        await new Promise((resolve) => server.close(resolve))
      }),
    )
  })
}
