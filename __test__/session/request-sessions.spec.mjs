// Sessions of requests: cookies, sign-in, rotation, requests from other sites, and what a thief of the store gets.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { after, describe, test } from 'node:test'

import { SessionManager } from 'cinnabar'

import { engines } from '../support/engines.mjs'

const SITE = 'https://shop.example'
const cookieOf = (header) => header.split(';')[0]

/** Sessions are ordered by the millisecond in which they were created. */
async function nextMillisecond() {
  const before = Date.now()
  while (Date.now() === before) await new Promise(setImmediate)
}

/** The name of a manager's cookie. */
const nameOf = (manager) =>
  manager.fromRequest(requestWith()).then(async (session) => {
    await session.destroy()
    return session.setCookie.split('=')[0]
  })

function requestWith(cookie, { method = 'GET', path = '/', ...headers } = {}) {
  const all = cookie ? { cookie, ...headers } : headers
  return new Request(`${SITE}${path}`, { method, headers: all })
}

for (const engine of engines) {
  describe(`sessions of requests on ${engine.name}`, async () => {
    const service = await engine.makeService()
    const sessions = new SessionManager(service, { cookie: { secure: true } })
    after(() => service.disconnect())

    /** Signs a user in; returns the cookie. */
    async function signIn(userId, data, options, manager = sessions) {
      const session = await manager.fromRequest(requestWith())
      await session.signIn(userId, data, options)
      return cookieOf(session.setCookie)
    }

    test('a user signs in, is recognised and signs out', async () => {
      const first = await sessions.fromRequest(requestWith(null, { method: 'POST' }))
      assert.deepEqual([first.data, first.userId, first.setCookie], [null, null, null])
      assert.equal(first.commit(new Response('x')).headers.get('set-cookie'), null)
      await first.signIn('ada', { role: 'admin' })
      assert.equal(first.userId, 'ada')
      const response = first.commit(Response.redirect(`${SITE}/`, 303))
      assert.equal(response.status, 303)
      const header = response.headers.get('set-cookie')
      assert.match(header, /^__Host-session=cst_[0-9a-f]{64}; HttpOnly; SameSite=Lax; Secure; Path=\/; Max-Age=86400$/)

      assert.throws(() => first.commit(Response.error()), { code: 'E_INVALID_ARGUMENT' })
      const fetched = await fetch('data:text/plain,x')
      await fetched.text()
      assert.throws(() => first.commit(fetched), { code: 'E_INVALID_ARGUMENT', message: /its body has been read/ })

      const second = await sessions.fromRequest(requestWith(cookieOf(header)))
      assert.equal(second.data.role, 'admin')
      assert.deepEqual(JSON.parse(JSON.stringify(second)), second.data)
      assert.equal(second.setCookie, null)
      assert.equal(await second.update({ theme: 'dark', createdAt: 'never' }), true)
      assert.deepEqual((await sessions.fromRequest(requestWith(cookieOf(header)))).data, second.data)

      assert.equal(await second.destroy(), 1)
      assert.match(second.commit(new Response()).headers.get('set-cookie'), /^__Host-session=; .*Max-Age=0$/)
      assert.equal((await sessions.fromRequest(requestWith(cookieOf(header)))).data, null)
      assert.equal(await second.update({ theme: 'light' }), false)
    })

    test('signing in ends the session that the browser had', async () => {
      const old = await signIn('ada')
      const session = await sessions.fromRequest(requestWith(old))
      await session.signIn('grace')
      assert.equal((await sessions.fromRequest(requestWith(old))).data, null)
      assert.equal((await sessions.fromRequest(requestWith(cookieOf(session.setCookie)))).userId, 'grace')
    })

    test('no id that a client chose becomes a session', async () => {
      for (const chosen of ['mine', `cst_${'0'.repeat(64)}`, createHash('sha256').update('mine').digest('hex')]) {
        const session = await sessions.fromRequest(requestWith(`__Host-session=${chosen}`))
        assert.equal(session.data, null)
        await session.signIn('ada')
        assert.doesNotMatch(session.setCookie, new RegExp(chosen))
        assert.equal((await sessions.fromRequest(requestWith(`__Host-session=${chosen}`))).data, null)
      }
    })

    test('what is stored is accepted nowhere', async () => {
      const cookie = await signIn('thief-test', { secret: 1 }, { tags: ['t'] })
      const client = service.getClient()
      const words = new Set()
      for (let cursor = '0'; ;) {
        const page = await client.scan(cursor, { COUNT: 1000 })
        for (const key of page.keys) {
          words.add(key)
          for (const word of key.split(/[:{}]/)) words.add(word)
          const type = await client.type(key)
          const members =
            type === 'string' ? [await client.get(key)] : type === 'zset' ? await client.zRange(key, 0, -1) : []
          for (const member of members) {
            for (const word of [member, member.trim(), ...member.split(/[\s",:{}]+/)]) words.add(word)
          }
        }
        cursor = String(page.cursor)
        if (cursor === '0') break
      }
      words.delete('')
      assert.ok(words.size > 10)
      const token = cookie.split('=')[1]
      assert.ok(!words.has(token))
      for (const word of words) {
        assert.equal((await sessions.fromRequest(requestWith(`__Host-session=${encodeURIComponent(word)}`))).data, null)
        assert.equal(await sessions.validateSession(word, { load: () => null }), null)
        const session = await sessions.getSession(word)
        assert.notEqual(session?.userId, 'thief-test')
      }
      assert.equal((await sessions.getSession(token)).userId, 'thief-test')
    })

    test('a rotated session keeps its data; the old cookie works for the other requests of the page', async () => {
      const cookie = await signIn('ada', { cart: [1, 2] })
      const page = await Promise.all(Array.from({ length: 32 }, () => sessions.fromRequest(requestWith(cookie))))
      assert.ok((await Promise.all(page.map((session) => session.rotate()))).every(Boolean))
      const cookies = new Set(page.map((session) => session.setCookie))
      assert.equal(cookies.size, 1, 'one successor')
      const [next] = cookies
      assert.notEqual(cookieOf(next), cookie)
      const late = await sessions.fromRequest(requestWith(cookie))
      assert.deepEqual(late.data.cart, [1, 2])
      assert.equal(late.setCookie, next, 'and gets the new cookie')
      assert.equal((await sessions.describeSessions('ada')).filter(({ session }) => session.cart).length, 1)
      assert.equal(await (await sessions.fromRequest(requestWith(cookieOf(next)))).destroy(), 1)
      assert.equal((await sessions.fromRequest(requestWith(cookie))).data, null)
    })

    test('where rights change, the old cookie ends at once', async () => {
      const cookie = await signIn('ada')
      const session = await sessions.fromRequest(requestWith(cookie))
      assert.equal(await session.rotate({ graceSeconds: 0 }), true)
      assert.equal((await sessions.fromRequest(requestWith(cookie))).data, null)
      assert.equal((await sessions.fromRequest(requestWith(cookieOf(session.setCookie)))).userId, 'ada')
      await assert.rejects(session.rotate({ graceSeconds: -1 }), { code: 'E_INVALID_ARGUMENT' })
      await assert.rejects(session.rotate({ grace: 1 }), { code: 'E_INVALID_ARGUMENT' })
    })

    test('who signs out with a token that another request has just rotated, has signed out', async () => {
      const cookie = await signIn('ada')
      const session = await sessions.fromRequest(requestWith(cookie))
      assert.equal(await session.rotate({ graceSeconds: 0 }), true)
      const late = await sessions.fromRequest(requestWith(cookie))
      assert.deepEqual([late.data, await late.destroy(), await late.destroy()], [null, 1, 0])
      assert.equal((await sessions.fromRequest(requestWith(cookieOf(session.setCookie)))).data, null)
    })

    test('the devices of a user have public ids, which a rotation keeps', async () => {
      const user = `devices of ${engine.name}`
      const [phone, laptop] = [await signIn(user, { device: 'phone' }), await signIn(user, { device: 'laptop' })]
      const token = phone.split('=')[1]
      const before = await sessions.describeSessions(user, { current: token })
      assert.deepEqual(before.map(({ current, session }) => [session.device, current]).sort(), [
        ['laptop', false],
        ['phone', true],
      ])
      assert.ok(before.every(({ publicId }) => /^[0-9a-f]{32}$/.test(publicId)))
      assert.deepEqual(await sessions.listSessions(user), [], 'the store does not know their tokens')
      const session = await sessions.fromRequest(requestWith(phone))
      await session.rotate()
      const ids = (devices) => devices.map(({ publicId }) => publicId).sort()
      assert.deepEqual(ids(await sessions.describeSessions(user)), ids(before))
      const { publicId } = before.find(({ current }) => current)
      assert.equal(await sessions.destroySessionOf(user, publicId), 1)
      assert.equal((await sessions.fromRequest(requestWith(cookieOf(session.setCookie)))).data, null)
      assert.equal((await sessions.fromRequest(requestWith(laptop))).userId, user)
      assert.equal(await sessions.invalidateUser(user), 1)
      assert.equal((await sessions.fromRequest(requestWith(laptop))).data, null)
    })

    test('requests that another site may have forged change nothing', async () => {
      const cookie = await signIn('ada')
      const post = (headers) => sessions.fromRequest(requestWith(cookie, { method: 'POST', ...headers }))
      const evil = { origin: 'https://evil.example' }
      for (const headers of [
        { 'sec-fetch-site': 'cross-site', ...evil },
        { 'sec-fetch-site': 'same-site', origin: 'https://other.shop.example' },
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'something new' },
        evil,
        { origin: 'null' },
        { origin: '' },
        { origin: 'https://shop.example.evil.example' },
        { origin: 'http://shop.example:8080' },
      ]) {
        const session = await post(headers)
        assert.deepEqual([session.crossSite, session.data], [true, null], JSON.stringify(headers))
        for (const write of [
          () => session.signIn('eve'),
          () => session.update({}),
          () => session.rotate(),
          () => session.destroy(),
        ]) {
          await assert.rejects(write, { code: 'E_CROSS_SITE', retryable: false })
        }
        assert.equal(session.setCookie, null)
      }
      for (const headers of [{}, { 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'none' }, { origin: SITE }]) {
        assert.equal((await post(headers)).userId, 'ada', JSON.stringify(headers))
      }
      const link = await sessions.fromRequest(requestWith(cookie, { 'sec-fetch-site': 'cross-site', ...evil }))
      assert.equal(link.userId, 'ada', 'a link from another site')
      const token = cookie.split('=')[1]
      const bearer = requestWith(null, {
        method: 'POST',
        authorization: `Bearer ${token}`,
        'sec-fetch-site': 'cross-site',
      })
      assert.equal((await sessions.fromRequest(bearer)).userId, 'ada', 'no browser sends this by itself')

      const trusting = new SessionManager(service, {
        cookie: { secure: true },
        trustedOrigins: ['https://app.example'],
      })
      const from = (origin) =>
        trusting.fromRequest(requestWith(cookie, { method: 'POST', 'sec-fetch-site': 'cross-site', origin }))
      assert.equal((await from('https://app.example')).userId, 'ada')
      assert.equal((await from('https://evil.example')).crossSite, true)
    })

    test('withSession responds for requests that the handler need not see', async () => {
      const seen = []
      const handler = async (request, session, context) => {
        seen.push([request.method, session.userId, context])
        await session.update({ visits: 1 })
        return Response.json(session)
      }
      const route = sessions.withSession(handler, { required: true })
      const problem = async (response) => {
        assert.equal(response.headers.get('content-type'), 'application/problem+json')
        const { status, type, title } = await response.json()
        assert.equal(type, 'about:blank')
        assert.ok(title)
        return status
      }
      assert.equal(await problem(await route(requestWith())), 401)
      const cookie = await signIn('ada')
      assert.equal(
        await problem(await route(requestWith(cookie, { method: 'POST', 'sec-fetch-site': 'cross-site' }))),
        403,
      )
      assert.deepEqual(seen, [])
      const response = await route(requestWith(cookie), { params: 1 })
      assert.deepEqual(seen, [['GET', 'ada', { params: 1 }]])
      assert.equal((await response.json()).visits, 1)
      assert.equal(cookieOf(response.headers.get('set-cookie')), cookie, 'an update renews the cookie too')
      const open = sessions.withSession(() => new Response('open'))
      assert.equal(await (await open(requestWith())).text(), 'open')
      await assert.rejects(
        sessions.withSession(() => Promise.reject(new Error('mine')))(requestWith()),
        /^Error: mine$/,
      )
    })

    test('a response of any kind gets the cookie, beside those that it has', async () => {
      const commits = async (target) => {
        const session = await sessions.fromRequest(requestWith())
        await session.signIn('ada')
        return [session.commit(target), session.setCookie]
      }
      const headers = new Headers({ 'set-cookie': 'a=1' })
      const [same, header] = await commits(headers)
      assert.equal(same, headers)
      assert.deepEqual(headers.getSetCookie(), ['a=1', header])
      const response = new Response('body', { status: 201, headers: { 'set-cookie': 'a=1', 'x-a': 'b' } })
      const [mine, own] = await commits(response)
      assert.equal(mine, response)
      assert.deepEqual(mine.headers.getSetCookie(), ['a=1', own])
      const twice = new Response()
      const session = await sessions.fromRequest(requestWith())
      await session.signIn('ada')
      session.commit(session.commit(twice))
      assert.equal(twice.headers.getSetCookie().length, 1)
      const jar = new Map()
      const cookies = {
        get: (name) => jar.get(name),
        has: (name) => jar.has(name),
        getAll: () => [],
        set: (name, value, options) => jar.set(name, { value, ...options }),
      }
      await commits(cookies)
      const { value, ...attributes } = jar.get('__Host-session')
      assert.match(value, /^cst_/)
      assert.deepEqual(attributes, {
        path: '/',
        domain: undefined,
        secure: true,
        sameSite: 'lax',
        partitioned: false,
        httpOnly: true,
        maxAge: 86400,
      })
      const readOnly = { get: () => {}, has: () => false, getAll: () => [] }
      for (const wrong of [undefined, null, 1, 'x', {}, () => {}, readOnly, new URLSearchParams(), new FormData()]) {
        await assert.rejects(commits(wrong), { code: 'E_INVALID_ARGUMENT' })
        const unchanged = await sessions.fromRequest(requestWith())
        assert.throws(() => unchanged.commit(wrong), { code: 'E_INVALID_ARGUMENT' })
      }
    })

    test('the server of Node.js works too', async () => {
      const manager = new SessionManager(service, { cookie: { secure: false } })
      const server = createServer(async (request, response) => {
        const session = await manager.fromRequest(request)
        if (request.method === 'POST')
          await session
            .signIn('node')
            .catch((error) => (response.statusCode = error.code === 'E_CROSS_SITE' ? 403 : 500))
        session.commit(response).end(session.userId ?? 'anonymous')
      })
      await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
      after(() => server.close())
      const url = `http://127.0.0.1:${server.address().port}/`
      const forged = await fetch(url, { method: 'POST', headers: { origin: 'https://evil.example' } })
      assert.deepEqual([forged.status, await forged.text(), forged.headers.get('set-cookie')], [403, 'anonymous', null])
      const response = await fetch(url, { method: 'POST', headers: { origin: url.slice(0, -1) } })
      assert.equal(await response.text(), 'node')
      const cookie = response.headers.get('set-cookie')
      assert.match(cookie, /^session=cst_[0-9a-f]{64}; HttpOnly; SameSite=Lax; Path=\/; Max-Age=86400$/)
      assert.equal(await (await fetch(url, { headers: { cookie: cookieOf(cookie) } })).text(), 'node')
    })

    // Time moves on the embedded engine.
    const rolls = engine.advance ? test : () => {}
    rolls('a rolling session ends when it is not used, and its cookie is set once', async () => {
      const rolling = new SessionManager(service, { ttl: 1000, rolling: true, cookie: { secure: true } })
      const cookie = await signIn('ada', {}, {}, rolling)
      const read = () => rolling.fromRequest(requestWith(cookie))
      for (let n = 0; n < 4; n++) {
        engine.advance(service, 600_000)
        const session = await read()
        assert.deepEqual([session.userId, session.setCookie], ['ada', null])
      }
      engine.advance(service, 1_000_001)
      assert.equal((await read()).data, null)
    })

    test('who signs in again keeps the data of the session; another user does not see it', async () => {
      const session = await sessions.fromRequest(requestWith(await signIn('ada', { cart: [1], role: 'guest' })))
      await session.signIn('ada', { role: 'admin' })
      assert.deepEqual([session.data.cart, session.data.role], [[1], 'admin'])
      await session.signIn('grace', { role: 'guest' })
      assert.deepEqual(Object.keys(session.data).sort(), ['createdAt', 'role', 'userId'])
      await session.signIn(7)
      await session.update({ a: 1 })
      await session.signIn(7)
      assert.equal(session.data.a, 1)
    })

    test('a user has no more sessions than allowed, however many sign in at once', async () => {
      const managers = ['evict-oldest', 'evict-idle', 'reject'].map(
        (whenFull) => new SessionManager(service, { cookie: { secure: true }, maxPerUser: 3, whenFull }),
      )
      for (const [at, manager] of managers.entries()) {
        const user = `limited ${at}`
        const requests = await Promise.all(Array.from({ length: 16 }, () => manager.fromRequest(requestWith())))
        const done = await Promise.allSettled(requests.map((session, n) => session.signIn(user, { n })))
        for (const { reason } of done) if (reason) assert.match(reason.code, /^E_(CONFLICT|TOO_MANY_SESSIONS)$/)
        const cookies = requests
          .filter((_, n) => done[n].status === 'fulfilled')
          .map((each) => cookieOf(each.setCookie))
        const valid = (await Promise.all(cookies.map((each) => manager.fromRequest(requestWith(each))))).filter(
          (each) => each.data,
        )
        assert.ok(valid.length >= 1 && valid.length <= 3, `${valid.length} of ${cookies.length}`)
        assert.equal((await manager.describeSessions(user)).length, valid.length)
      }
      const [oldest, , rejecting] = managers
      const cookies = []
      for (const device of ['phone', 'laptop', 'tablet']) {
        cookies.push(await signIn('devices', { device }, {}, oldest))
        await nextMillisecond()
      }
      const session = await oldest.fromRequest(requestWith())
      const { ended } = await session.signIn('devices', { device: 'watch' })
      assert.deepEqual(
        ended.map(({ session }) => session.device),
        ['phone'],
      )
      assert.match(ended[0].publicId, /^[0-9a-f]{32}$/)
      assert.equal((await oldest.fromRequest(requestWith(cookies[0]))).data, null)
      const refused = await rejecting.fromRequest(requestWith())
      await assert.rejects(refused.signIn('devices'), { code: 'E_TOO_MANY_SESSIONS', retryable: false })
      await assert.rejects(rejecting.createSession('devices'), { code: 'E_TOO_MANY_SESSIONS' })
      assert.deepEqual([refused.data, refused.setCookie], [null, null])
    })

    test('a visitor has a session when one is started, whose data signing in keeps', async () => {
      const visit = await sessions.fromRequest(requestWith())
      await visit.start({ cart: [1], userId: 'forged', createdAt: 'never' }, { ttl: 60 })
      assert.deepEqual([visit.userId, visit.data.cart], [null, [1]])
      assert.deepEqual([visit.signedInAt, visit.isFresh(60)], [null, false], 'no user has signed in')
      assert.match(visit.setCookie, /Max-Age=60$/)
      const cookie = cookieOf(visit.setCookie)
      const next = await sessions.fromRequest(requestWith(cookie))
      assert.deepEqual([next.userId, next.data.cart, typeof next.data.createdAt], [null, [1], 'string'])
      assert.deepEqual([await next.devices(), await next.revokeOthers(), await next.revoke('x')], [[], 0, 0])
      assert.equal(await next.update({ cart: [1, 2] }), true)
      await next.signIn('visitor', { role: 'guest' })
      assert.deepEqual([next.userId, next.data.cart, next.data.role], ['visitor', [1, 2], 'guest'])
      assert.notEqual(cookieOf(next.setCookie), cookie)
      assert.equal((await sessions.fromRequest(requestWith(cookie))).data, null)
      await assert.rejects(next.start({}, { tags: ['t'] }), { code: 'E_INVALID_ARGUMENT' })
      await assert.rejects(next.start(1), { code: 'E_INVALID_ARGUMENT' })
    })

    test('a user sees the devices and signs out the others', async () => {
      const cookies = []
      for (const device of ['phone', 'laptop', 'tablet']) cookies.push(await signIn('many', { device }))
      const here = await sessions.fromRequest(requestWith(cookies[0]))
      const devices = await here.devices()
      assert.deepEqual(devices.map(({ current, session }) => [session.device, current]).sort(), [
        ['laptop', false],
        ['phone', true],
        ['tablet', false],
      ])
      const laptop = devices.find(({ session }) => session.device === 'laptop').publicId
      assert.deepEqual([await here.revoke(laptop), await here.revoke(laptop), await here.revoke('')], [1, 0, 0])
      const there = await sessions.fromRequest(requestWith(cookies[2]))
      assert.equal(await there.revoke((await there.devices()).find(({ current }) => current).publicId), 1)
      assert.deepEqual([there.data, there.userId], [null, null])
      assert.match(there.setCookie, /Max-Age=0$/)
      cookies[2] = await signIn('many', { device: 'tablet' })
      assert.equal(await here.revokeOthers(), 1)
      const left = await Promise.all(cookies.map((cookie) => sessions.fromRequest(requestWith(cookie))))
      assert.deepEqual(
        left.map(({ userId }) => userId),
        ['many', null, null],
      )
    })

    test('writes of one request run one after the other', async () => {
      const session = await sessions.fromRequest(requestWith(await signIn('ada')))
      const done = await Promise.all([
        session.update({ a: 1 }),
        session.rotate(),
        session.destroy(),
        session.update({ b: 1 }),
      ])
      assert.deepEqual(done, [true, true, 1, false])
      assert.deepEqual([session.data, session.userId], [null, null])
      assert.match(session.setCookie, /Max-Age=0$/)
      const again = await sessions.fromRequest(requestWith())
      const [failed, signed] = await Promise.allSettled([again.signIn(''), again.signIn('ada')])
      assert.deepEqual([failed.status, signed.status, again.userId], ['rejected', 'fulfilled', 'ada'])
    })

    test('an update cannot lose the user by mistake', async () => {
      const session = await sessions.fromRequest(requestWith(await signIn('ada')))
      for (const userId of [NaN, Infinity, () => {}, Symbol('u'), '', {}]) {
        await assert.rejects(session.update({ userId }), { code: 'E_INVALID_ARGUMENT' }, String(userId))
      }
      assert.equal(session.userId, 'ada')
      await session.update({ userId: 7 })
      assert.equal(session.userId, '7')
    })

    test('getSession reads the cookie that was set', async () => {
      const cookie = await signIn('ada')
      assert.equal((await sessions.getSession(requestWith(cookie))).userId, 'ada')
      const id = await sessions.createSession('grace')
      assert.equal((await sessions.getSession(requestWith(`session=${id}`))).userId, 'grace')
      const own = new SessionManager(service, { cookie: { name: 'sid' } })
      assert.equal(await own.getSession(requestWith(`session=${id}`)), null)
      assert.equal((await own.getSession(requestWith(`sid=${id}`))).userId, 'grace')
      assert.equal((await own.getSession(requestWith(`session=${id}`), { cookie: 'session' })).userId, 'grace')
    })

    test('a sign-in is fresh for a while', async () => {
      const anonymous = await sessions.fromRequest(requestWith())
      assert.deepEqual([anonymous.signedInAt, anonymous.isFresh(60)], [null, false])
      await anonymous.signIn('ada')
      assert.ok(Math.abs(anonymous.signedInAt - Date.now()) < 5000)
      assert.equal(anonymous.isFresh(60), true)
      const old = await sessions.fromRequest(requestWith(await signIn('ada')))
      old.data.createdAt = new Date(Date.now() - 61_000).toISOString()
      assert.deepEqual([old.isFresh(60), old.isFresh(62)], [false, true])
      for (const wrong of [0, -1, NaN, Infinity, '60', undefined]) {
        assert.throws(() => old.isFresh(wrong), { code: 'E_INVALID_ARGUMENT' })
      }
    })

    // Time moves on the embedded engine.
    rolls('a session in use ends at its absolute ttl', async () => {
      const bounded = new SessionManager(service, { ...SessionManager.presets.OWASP, cookie: { secure: true } })
      let cookie = await signIn('ada', {}, {}, bounded)
      for (let quarter = 1; quarter < 32; quarter++) {
        engine.advance(service, 15 * 60_000)
        const session = await bounded.fromRequest(requestWith(cookie))
        assert.equal(session.userId, 'ada', `after ${quarter} quarters of an hour`)
        if (quarter % 8 === 0) await session.rotate()
        if (session.setCookie) cookie = cookieOf(session.setCookie)
      }
      engine.advance(service, 15 * 60_000)
      assert.equal((await bounded.fromRequest(requestWith(cookie))).data, null)
    })

    test('only tokens are accepted where they are hashed', async () => {
      const hashed = new SessionManager(service, { tokens: 'hashed' })
      const token = await hashed.createSession('ada', { a: 1 })
      assert.match(token, /^cst_[0-9a-f]{64}$/)
      assert.equal((await hashed.getSession(token)).a, 1)
      assert.equal((await sessions.getSession(token)).a, 1)
      const id = await sessions.createSession('ada')
      assert.equal(await hashed.getSession(id), null)
      assert.equal((await sessions.getSession(id)).userId, 'ada')
    })

    test('the cookie needs no TLS in development', async () => {
      const before = process.env.NODE_ENV
      try {
        for (const [mode, cookie, name] of [
          ['production', {}, '__Host-session'],
          [undefined, {}, '__Host-session'],
          ['development', {}, 'session'],
          ['test', {}, 'session'],
          ['test', { secure: true }, '__Host-session'],
          ['production', { path: '/app' }, 'session'],
          ['production', { domain: 'example.com' }, 'session'],
          ['production', { name: 'sid' }, 'sid'],
        ]) {
          if (mode === undefined) delete process.env.NODE_ENV
          else process.env.NODE_ENV = mode
          assert.equal(await nameOf(new SessionManager(service, { cookie })), name, `${mode} ${JSON.stringify(cookie)}`)
        }
      } finally {
        if (before === undefined) delete process.env.NODE_ENV
        else process.env.NODE_ENV = before
      }
    })

    test('mistakes of the program are errors before anything is sent', () => {
      const wrong = (options) =>
        assert.throws(
          () => new SessionManager(service, options),
          { code: 'E_INVALID_ARGUMENT' },
          JSON.stringify(options),
        )
      wrong({ tokens: 'sha' })
      wrong({ tokens: true })
      wrong({ maxPerUser: 0 })
      wrong({ maxPerUser: 1.5 })
      wrong({ maxPerUser: 1001 })
      wrong({ maxPerUser: 1, whenFull: 'evict' })
      wrong({ cookie: 'sid' })
      wrong({ cookie: { nam: 'sid' } })
      wrong({ cookie: { name: 'a b' } })
      wrong({ cookie: { name: '' } })
      wrong({ cookie: { name: '__Host-x', path: '/a' } })
      wrong({ cookie: { name: '__Host-x', domain: 'example.com' } })
      wrong({ cookie: { name: '__Secure-x', secure: false } })
      wrong({ cookie: { sameSite: 'Lax' } })
      wrong({ cookie: { sameSite: 'none', secure: false } })
      wrong({ cookie: { path: 'app' } })
      wrong({ cookie: { domain: 'a;b' } })
      wrong({ cookie: { secure: 'yes' } })
      wrong({ trustedOrigins: 'https://app.example' })
      wrong({ trustedOrigins: ['app.example'] })
      wrong({ trustedOrigins: ['https://app.example/'] })
      wrong({ trustedOrigins: [1] })
      wrong({ trustedOrigins: ['https://*.example.com'] })
      wrong({ trustedOrigins: ['https://App.example'] })
      wrong({ trustedOrigins: ['https://app.example:443'] })
      wrong({ trustedOrigins: new Array(1) })
      assert.throws(() => sessions.withSession(), { code: 'E_INVALID_ARGUMENT' })
      assert.throws(() => sessions.withSession(() => {}, { require: true }), { code: 'E_INVALID_ARGUMENT' })
    })
  })
}
