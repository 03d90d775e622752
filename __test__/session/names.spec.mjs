// Updates that remove fields and set ttls, and the names of sessions.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { RedisService, SessionManager } from 'cinnabar'

import { rawClient, refuses } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'
import { engines } from '../support/engines.mjs'

async function all(iterator) {
  const found = []
  for await (const item of iterator) found.push(item)
  return found.sort()
}

for (const engine of engines) {
  describe(`sessions on ${engine.name}`, () => {
    const withSessions = (run, options) => async () => {
      const service = await engine.makeService()
      try {
        await run(new SessionManager(service, options), await rawClient(service), service)
      } finally {
        await service.disconnect()
      }
    }
    const ttlOf = async (client, key, wanted) => {
      const ttl = await client.ttl(key)
      assert.ok(ttl > wanted - 5 && ttl <= wanted, `expected a ttl of about ${wanted} s, got ${ttl}`)
    }

    test(
      'an update removes fields and sets the ttl of later renewals',
      withSessions(async (sessions, client) => {
        const id = await sessions.createSession('u', { cart: [1], role: 'guest' }, { ttl: 60 })
        const key = sessions.keyOf(id)
        assert.equal(await sessions.updateSession(id, { a: 1 }, { ttl: 7200, remove: ['cart'] }), true)
        assert.deepEqual({ ...(await sessions.getSession(id)), createdAt: 0 }, { userId: 'u', createdAt: 0, role: 'guest', a: 1 }) // prettier-ignore
        await ttlOf(client, key, 7200)
        assert.equal(await sessions.touch(id, 30), true)
        await ttlOf(client, key, 30)
        assert.equal(await sessions.touch(id), true)
        await ttlOf(client, key, 7200)
        assert.equal(await sessions.touch(id, 9000), true)
        assert.equal(await sessions.update(id, {}, { remove: ['a'], timeoutMs: 5000 }), true)
        await ttlOf(client, key, 9000)
        assert.equal(await sessions.extendSession(id, 60), true)
        assert.equal(await sessions.updateSession(id, {}), true)
        await ttlOf(client, key, 7200)
        assert.equal(await sessions.extendSession(id, 9000), true)
        const request = await sessions.fromRequest({ headers: { authorization: `Bearer ${id}` } })
        assert.equal(await request.update({}), true)
        assert.match(request.setCookie, /Max-Age=7200$/)
        await ttlOf(client, key, 9000)
        assert.equal(await request.update({}, { ttl: 9500 }), true)
        assert.match(request.setCookie, /Max-Age=9500$/)
        await ttlOf(client, key, 9500)
        assert.equal('a' in (await sessions.getSession(id)), false)
        assert.equal(await sessions.updateSession('none', {}, { ttl: 60, remove: ['a'] }), false)
        assert.equal(await sessions.touch('none', 60), false)
      }),
    )

    test(
      'an update with invalid options changes nothing',
      withSessions(async (sessions) => {
        const id = await sessions.createSession('u', { a: 1 })
        for (const [changes, options, message] of [
          [{}, { remove: ['userId'] }, /userId: set it to null/],
          [{}, { remove: ['createdAt'] }, /createdAt, which never changes/],
          [{ a: 2 }, { remove: ['a'] }, /must not name the same field/],
          [{ a: 2 }, { remove: 'a' }, /remove must be an array/],
          [{ a: 2 }, { remove: [1] }, /remove\[0\] must be a string/],
          [{ a: 2 }, { ttl: 0 }, /ttl must be a number of seconds/],
          [{ a: 2 }, { life: 60 }, /life/],
        ]) {
          await refuses(sessions.updateSession(id, changes, options), 'E_INVALID_ARGUMENT', message)
          await refuses(sessions.updateSession('\0', changes, options), 'E_INVALID_ARGUMENT', message)
        }
        await refuses(sessions.touch(id, 0), 'E_INVALID_ARGUMENT', /ttl must be/)
        await refuses(sessions.touch(id, null), 'E_INVALID_ARGUMENT', /ttl must be/)
        assert.equal((await sessions.getSession(id)).a, 1)
      }),
    )

    test(
      'the session of a request is updated in the same way, and its cookie lives as long',
      withSessions(
        async (sessions, client) => {
          const session = await sessions.fromRequest({ headers: {} })
          await session.signIn('u', { cart: [1], role: 'guest' })
          assert.match(session.setCookie, /Max-Age=60$/)
          assert.equal(await session.update({ a: 1 }, { ttl: 90, remove: ['cart'] }), true)
          assert.deepEqual({ ...session.data, createdAt: 0 }, { userId: 'u', createdAt: 0, role: 'guest', a: 1 })
          assert.match(session.setCookie, /Max-Age=90$/)
          const token = session.setCookie.split(/[=;]/)[1]
          await ttlOf(client, sessions.keyOf(token), 90)
          await session.update({}, { ttl: 7200 })
          assert.match(session.setCookie, /Max-Age=100$/)
          await ttlOf(client, sessions.keyOf(token), 100)
          assert.deepEqual(await sessions.getSession(token), session.data)
          await refuses(session.update({}, { remove: ['userId'] }), 'E_INVALID_ARGUMENT')
          await refuses(session.update({}, { removed: ['a'] }), 'E_INVALID_ARGUMENT')
        },
        { ttl: 60, absoluteTtl: 100 },
      ),
    )

    test(
      'all sessions are listed and counted',
      withSessions(async (sessions, client, service) => {
        assert.deepEqual([await all(sessions.ids()), await sessions.length()], [[], 0])
        const hashed = new SessionManager(service, { tokens: 'hashed' })
        const made = Array.from({ length: 2500 }, (_, n) => sessions.createSession(`u${n % 7}`, {}, { tags: ['t'] }))
        const ids = [...(await Promise.all(made)), 'a*', 'f'.repeat(64)]
        for (const id of ids.slice(-2)) await sessions.storeSession(id, { a: 1 })
        const token = await hashed.createSession('u1')
        await sessions.validateSession('token', { load: () => ({ id: 'u' }) })
        await client.set('sessions', 'not one of them')
        // Neither are lists and sets of other programs; ids that are too long for a key are counted.
        await client.lPush('session:list', 'a')
        await client.sAdd('session:set', 'a')
        await sessions.storeSession('x'.repeat(513), { a: 1 })
        for await (const id of sessions.ids()) await sessions.updateSession(id, { a: 2 })
        assert.deepEqual(await all(sessions.ids()), ids.sort())
        assert.equal(await sessions.length(), ids.length + 2)
        assert.deepEqual([await all(hashed.ids()), await hashed.length()], [[], 1])
        assert.equal(await client.exists(hashed.keyOf(token)), 1)
        assert.equal(hashed.idOf(hashed.keyOf(token)), null)
        for (const id of ids.slice(0, 50)) if (id.length < 64) assert.equal(sessions.idOf(sessions.keyOf(id)), id)
        for await (const id of sessions.ids()) {
          assert.ok(ids.includes(id))
          break
        }
        await assert.rejects(all(sessions.with({ signal: AbortSignal.abort() }).ids()), { code: 'E_ABORTED' })
      }),
    )
  })
}

test('all sessions of all nodes of a cluster are found', async (t) => {
  const cluster = await startCluster()
  t.after(() => cluster.close())
  const service = new RedisService({ url: cluster.url, log: false })
  t.after(() => service.disconnect())
  const sessions = new SessionManager(service)
  const ids = await Promise.all(Array.from({ length: 300 }, () => sessions.createSession('u', { a: 1 })))
  const first = await sessions.fromRequest({ headers: {} })
  await first.signIn('u')
  assert.deepEqual(await all(sessions.ids()), ids.sort())
  assert.equal(await sessions.length(), 301)
  const updates = ids.map((id) => sessions.updateSession(id, {}, { ttl: 90, remove: ['a'] }))
  assert.ok((await Promise.all(updates)).every(Boolean))
})

test('names also have a static form, and the length of the class stays a number', async () => {
  assert.equal(SessionManager.keyOf('a'), 'session:a')
  assert.equal(SessionManager.idOf('session:a'), 'a')
  assert.equal(SessionManager.length, 2)
  assert.equal(await new SessionManager().length(), 0)
  assert.deepEqual(await all(SessionManager.ids()), [])
})
