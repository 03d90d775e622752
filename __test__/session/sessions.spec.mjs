import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { SessionManager } from 'cinnabar'

import { rawClient, refuses, runModule } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const DAY = 86_400

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

    const ttlOf = async (client, id, wanted) => {
      const ttl = await client.ttl(`session:${id}`)
      assert.ok(ttl > wanted - 5 && ttl <= wanted, `expected a life of about ${wanted} s, got ${ttl}`)
    }

    test(
      'create stores plain JSON with userId, createdAt and the data for 24 hours',
      withSessions(async (sessions, client) => {
        const before = Date.now()
        const id = await sessions.createSession('user123', { role: 'admin', nested: { list: [] } })
        const text = await client.get(`session:${id}`)
        const stored = JSON.parse(text)
        assert.equal(stored.userId, 'user123')
        assert.equal(stored.role, 'admin')
        assert.deepEqual(stored.nested, { list: [] })
        assert.equal(new Date(stored.createdAt).toISOString(), stored.createdAt)
        assert.ok(Math.abs(Date.parse(stored.createdAt) - before) < 60_000)
        assert.deepEqual(await sessions.getSession(id), stored)
        await ttlOf(client, id, DAY)
        const bare = await sessions.getSession(await sessions.createSession('user456'))
        assert.deepEqual(Object.keys(bare).sort(), ['createdAt', 'userId'])
      }),
    )

    test(
      'ids carry at least 192 random bits and never repeat',
      withSessions(async (sessions) => {
        const ids = await Promise.all(Array.from({ length: 2000 }, () => sessions.createSession('u')))
        assert.equal(new Set(ids).size, ids.length)
        const alphabet = new Set(ids.join('')).size
        const bits = Math.min(...ids.map((id) => id.length)) * Math.log2(alphabet)
        assert.ok(bits >= 190, `an id has ${bits} bits`)
        for (const id of ids.slice(0, 20)) assert.match(id, /^[A-Za-z0-9_-]+$/)
      }),
    )

    test(
      'returns null, false and 0 for a session that is not there',
      withSessions(async (sessions) => {
        assert.equal(await sessions.getSession('none'), null)
        assert.equal(await sessions.updateSession('none', { a: 1 }), false)
        assert.equal(await sessions.extendSession('none'), false)
        assert.equal(await sessions.touch('none'), false)
        assert.equal(await sessions.destroySession('none'), 0)
        assert.equal(await sessions.getSession('none'), null)
      }),
    )

    test(
      'update merges field by field and renews the life',
      withSessions(async (sessions, client) => {
        const id = await sessions.createSession('u', { a: 1, deep: { x: 1 } }, { ttl: 100 })
        await ttlOf(client, id, 100)
        assert.equal(await sessions.updateSession(id, { b: 2, deep: { y: 2 } }), true)
        const session = await sessions.getSession(id)
        assert.deepEqual({ ...session, createdAt: '' }, { userId: 'u', createdAt: '', a: 1, b: 2, deep: { y: 2 } })
        // A life of its own is the one that is renewed.
        await ttlOf(client, id, 100)
        assert.equal(await sessions.updateSession(id, {}), true)
        assert.deepEqual(await sessions.getSession(id), session)
        const defaults = await sessions.createSession('u')
        await client.expire(`session:${defaults}`, 50)
        assert.equal(await sessions.updateSession(defaults, { a: 1 }), true)
        await ttlOf(client, defaults, DAY)
      }),
    )

    test(
      'an update keeps the bytes of what it does not touch',
      withSessions(async (sessions, client) => {
        const fields = [
          '"userId":"u"',
          '"list":[]',
          '"object":{}',
          '"big":9007199254740993',
          '"float":1.0',
          '"exponent":1E+2',
          '"escaped":"\\u00e9\\/"',
          '"unknown":{"of":["another",{"library":null}]}',
          '"spaced":[1, 2 ,3]',
        ]
        await client.set('session:x', `{${fields.join(',')}}`, { EX: 100 })
        assert.equal(await sessions.updateSession('x', { role: 'user' }), true)
        const text = await client.get('session:x')
        for (const field of fields) assert.ok(text.includes(field), `${field} is not in ${text}`)
        assert.ok(text.includes('"role":"user"'))
        assert.equal(await sessions.updateSession('x', { role: 'admin', list: [1] }), true)
        const again = await client.get('session:x')
        for (const field of fields.filter((f) => !f.startsWith('"list"'))) assert.ok(again.includes(field), field)
        assert.deepEqual(JSON.parse(again).list, [1])
        assert.equal(again.match(/"role"/g).length, 1)
      }),
    )

    test(
      '8 writers with 100 increments each, of different fields, lose nothing',
      withSessions(async (sessions) => {
        const id = await sessions.createSession('u')
        await Promise.all(
          Array.from({ length: 8 }, async (_, writer) => {
            for (let i = 1; i <= 100; i++) {
              const { [`w${writer}`]: count = 0 } = await sessions.getSession(id)
              assert.equal(await sessions.updateSession(id, { [`w${writer}`]: count + 1 }), true)
            }
          }),
        )
        const session = await sessions.getSession(id)
        for (let writer = 0; writer < 8; writer++) assert.equal(session[`w${writer}`], 100)
      }),
    )

    test(
      'many updates at once all survive',
      withSessions(async (sessions) => {
        const id = await sessions.createSession('u')
        const done = await Promise.all(
          Array.from({ length: 50 }, (_, i) => sessions.updateSession(id, { [`f${i}`]: i })),
        )
        assert.deepEqual(done, Array(50).fill(true))
        const session = await sessions.getSession(id)
        for (let i = 0; i < 50; i++) assert.equal(session[`f${i}`], i)
      }),
    )

    test(
      'destroy removes the session, and nothing brings it back',
      withSessions(async (sessions, client) => {
        for (let round = 0; round < 30; round++) {
          const id = await sessions.createSession('u', { round })
          const race = []
          for (let i = 0; i < 10; i++) {
            race.push(sessions.updateSession(id, { [`f${i}`]: i }), sessions.touch(id), sessions.extendSession(id, 600))
            if (i === round % 10) race.push(sessions.destroySession(id))
          }
          await Promise.all(race)
          assert.equal(await sessions.getSession(id), null, `round ${round}`)
          assert.equal(await client.exists(`session:${id}`), 0)
          assert.equal(await sessions.updateSession(id, { back: true }), false)
          assert.equal(await sessions.touch(id), false)
          assert.equal(await sessions.extendSession(id, 600), false)
          assert.equal(await client.exists(`session:${id}`), 0)
        }
      }),
    )

    test(
      'extend sets the remaining life, 3600 s by default; touch renews it',
      withSessions(async (sessions, client) => {
        const id = await sessions.createSession('u', {}, { ttl: 500 })
        assert.equal(await sessions.extendSession(id), true)
        await ttlOf(client, id, 3600)
        assert.equal(await sessions.extendSession(id, 50), true)
        await ttlOf(client, id, 50)
        assert.equal(await sessions.touch(id), true)
        assert.ok((await client.ttl(`session:${id}`)) > 50)
      }),
    )

    test(
      'a session that another program stored without a ttl gets none by being read or updated',
      withSessions(async (sessions, client, service) => {
        const rolling = new SessionManager(service, { rolling: true })
        await client.set('session:endless', '{"userId":"ann","a":1}')
        assert.deepEqual(await rolling.getSession('endless'), { userId: 'ann', a: 1 })
        assert.equal(await sessions.updateSession('endless', { a: 2 }), true)
        assert.equal(await client.ttl('session:endless'), -1)
        assert.equal(await sessions.touch('endless'), true)
        assert.ok((await client.ttl('session:endless')) > 60)
        assert.equal(await sessions.extendSession('endless', 60), true)
        await ttlOf(client, 'endless', 60)
      }),
    )

    test(
      'store keeps any object under an id of the caller, for 3600 s by default',
      withSessions(async (sessions, client) => {
        assert.equal(await sessions.storeSession('user123', { a: [], b: null }), undefined)
        assert.equal(await client.get('session:user123'), '{"a":[],"b":null}')
        await ttlOf(client, 'user123', 3600)
        await sessions.storeSession('user123', { c: 1 }, 60)
        assert.deepEqual(await sessions.getSession('user123'), { c: 1 })
        await ttlOf(client, 'user123', 60)
      }),
    )

    test(
      'the short names do the same',
      withSessions(async (sessions) => {
        const id = await sessions.create('u', { a: 1 })
        assert.equal((await sessions.get(id)).a, 1)
        assert.equal(await sessions.update(id, { a: 2 }), true)
        assert.equal((await sessions.getSession(id)).a, 2)
        assert.equal(await sessions.destroy(id), 1)
        assert.equal(await sessions.deleteSession(id), 0)
      }),
    )

    test(
      'takes an id of the caller, escapes what keys cannot hold, refuses none',
      withSessions(async (sessions, client) => {
        assert.equal(await sessions.createSession('u', {}, { id: 'mine' }), 'mine')
        assert.equal((await sessions.getSession('mine')).userId, 'u')
        for (const id of ['a*b', 'a?b', '[ab]', 'ü', 'with space', '{x}', 'x\ny', '%41']) {
          await sessions.storeSession(id, { id })
          assert.deepEqual(await sessions.getSession(id), { id })
        }
        assert.equal(await sessions.getSession('A'), null)
        for (const id of [undefined, null, 42, {}, [], Symbol('x')]) {
          await refuses(sessions.getSession(id), 'E_INVALID_ARGUMENT')
          await refuses(sessions.updateSession(id, {}), 'E_INVALID_ARGUMENT')
          await refuses(sessions.destroySession(id), 'E_INVALID_ARGUMENT')
        }
        const keys = (await client.scan(0, { COUNT: 1000 })).keys
        assert.ok(keys.includes('session:mine'))
      }),
    )

    test(
      'takes a whole number as a user, and keeps it as text',
      withSessions(async (sessions) => {
        const id = await sessions.createSession(42)
        assert.equal((await sessions.getSession(id)).userId, '42')
        assert.deepEqual(await sessions.listSessions('42'), [id])
        assert.equal(await sessions.invalidateUser(42), 1)
      }),
    )

    test(
      'destroys by tag, and lists and destroys by user',
      withSessions(async (sessions) => {
        const red = await sessions.createSession('ann', {}, { tags: ['red', 'all'] })
        const blue = await sessions.createSession('ann', {}, { tags: ['blue', 'all'] })
        const plain = await sessions.createSession('bob')
        assert.deepEqual((await sessions.listSessions('ann')).sort(), [red, blue].sort())
        assert.deepEqual(await sessions.listSessions('unknown'), [])
        assert.equal(await sessions.destroyByTag('red'), 1)
        assert.equal(await sessions.getSession(red), null)
        assert.deepEqual(await sessions.listSessions('ann'), [blue])
        assert.equal(await sessions.destroyByTag('red'), 0)
        const third = await sessions.createSession('ann')
        assert.equal(await sessions.invalidateUser('ann'), 2)
        assert.deepEqual(await Promise.all([blue, third].map((id) => sessions.getSession(id))), [null, null])
        assert.deepEqual(await sessions.listSessions('ann'), [])
        assert.equal((await sessions.getSession(plain)).userId, 'bob')
        assert.equal(await sessions.destroySession(plain), 1)
        assert.deepEqual(await sessions.listSessions('bob'), [])
      }),
    )

    test(
      'every key it leaves behind has an end',
      withSessions(async (sessions, client) => {
        const ids = await Promise.all(
          Array.from({ length: 20 }, (_, i) =>
            sessions.createSession(`u${i % 3}`, {}, { tags: ['t', `t${i % 4}`], ttl: 100 + i }),
          ),
        )
        await sessions.updateSession(ids[0], { a: 1 })
        await sessions.touch(ids[1])
        await sessions.extendSession(ids[2], 5000)
        await sessions.destroySession(ids[3])
        await sessions.destroyByTag('t1')
        await sessions.invalidateUser('u2')
        await sessions.storeSession('s', {})
        const { keys } = await client.scan(0, { COUNT: 10_000 })
        assert.ok(keys.length > 10)
        for (const key of keys) assert.ok((await client.pTTL(key)) > 0, `${key} lives for ever`)
      }),
    )

    test(
      'refuses bad data, changes, lives and options, and writes nothing then',
      withSessions(async (sessions, client) => {
        const cyclic = {}
        cyclic.self = cyclic
        for (const data of [cyclic, { n: 1n }, null, 42, 'text', [], () => 1, Symbol('x')]) {
          await refuses(sessions.createSession('u', data), 'E_INVALID_ARGUMENT')
          await refuses(sessions.storeSession('x', data), 'E_INVALID_ARGUMENT')
        }
        for (const ttl of [0, -1, NaN, Infinity, -Infinity, '60', {}, null]) {
          await refuses(sessions.createSession('u', {}, { ttl }), 'E_INVALID_ARGUMENT')
          await refuses(sessions.storeSession('x', {}, ttl), 'E_INVALID_ARGUMENT')
          await refuses(sessions.extendSession('x', ttl), 'E_INVALID_ARGUMENT')
        }
        for (const user of ['', undefined, null, 1.5, NaN, {}])
          await refuses(sessions.createSession(user), 'E_INVALID_ARGUMENT')
        await refuses(sessions.createSession('u', {}, { ttll: 1 }), 'E_INVALID_ARGUMENT', /did you mean "ttl"/)
        for (const tags of ['t', [1], [''], {}])
          await refuses(sessions.createSession('u', {}, { tags }), 'E_INVALID_ARGUMENT')
        await sessions.storeSession('x', { a: 1 })
        for (const changes of [cyclic, { n: 1n }, null, 42, 'text', [], undefined]) {
          await refuses(sessions.updateSession('x', changes), 'E_INVALID_ARGUMENT')
        }
        assert.equal(await client.get('session:x'), '{"a":1}')
        assert.equal(await client.dbSize(), 1)
      }),
    )

    test(
      'says in a typed way that a session is no JSON',
      withSessions(async (sessions, client) => {
        await client.set('session:x', 'no json', { EX: 100 })
        await refuses(sessions.getSession('x'), 'E_INVALID_DATA')
        await refuses(sessions.updateSession('x', { a: 1 }), 'E_INVALID_DATA')
        await client.hSet('session:h', 'f', 'v')
        // Many reads may travel as one MGET, which calls a value of another type missing; what counts is that it is left alone.
        const outcome = await sessions.updateSession('h', { a: 1 }).catch((error) => error.code)
        assert.ok([false, 'E_WRONG_TYPE'].includes(outcome), String(outcome))
        assert.equal(await client.hGet('session:h', 'f'), 'v')
      }),
    )

    test(
      'is an object: what another program stored as a string, a number or an array is not found, and left alone',
      withSessions(async (sessions, client, service) => {
        const rolling = new SessionManager(service, { rolling: true })
        for (const stored of ['5', '"text"', '[]', '[{"userId":"u"}]', 'null', 'true', ' 5 ', '\n[]']) {
          await client.set('session:x', stored, { EX: 100 })
          for (const manager of [sessions, rolling]) assert.equal(await manager.getSession('x'), null, stored)
          assert.equal(await sessions.updateSession('x', { a: 1 }), false)
          assert.equal(await sessions.touch('x'), false)
          assert.equal(await sessions.extendSession('x'), false)
          await refuses(sessions.createSession('u', {}, { id: 'x' }), 'E_CONFLICT')
          assert.equal(await client.get('session:x'), stored)
        }
        for (const stored of ['{}', ' {"a":1}', '\n{"userId":"u"}']) {
          await client.set('session:x', stored, { EX: 100 })
          for (const manager of [sessions, rolling]) assert.deepEqual(await manager.getSession('x'), JSON.parse(stored))
        }
      }),
    )

    test(
      'keeps to its prefix and its life',
      withSessions(
        async (sessions, client) => {
          const id = await sessions.createSession('u')
          assert.ok((await client.ttl(`sid:${id}`)) > 55)
          assert.equal(await sessions.updateSession(id, { a: 1 }), true)
          const ttl = await client.ttl(`sid:${id}`)
          assert.ok(ttl > 55 && ttl <= 60, `the update left ${ttl}`)
        },
        { prefix: 'sid:', ttl: 60 },
      ),
    )

    test(
      'a rolling session is renewed by reading it',
      withSessions(
        async (sessions, client) => {
          const id = await sessions.createSession('u')
          await client.expire(`session:${id}`, 50)
          assert.equal((await sessions.getSession(id)).userId, 'u')
          assert.ok((await client.ttl(`session:${id}`)) > 500)
        },
        { rolling: true, ttl: 1000 },
      ),
    )

    test('refuses bad options of its own', async () => {
      const service = await engine.makeService()
      for (const options of [{ prefx: 'a' }, { ttl: 0 }, { ttl: NaN }, { prefix: 42 }, { rolling: 'yes' }, 'x', null]) {
        assert.throws(() => new SessionManager(service, options), { code: 'E_INVALID_ARGUMENT' })
      }
      for (const none of [null, {}, 'x', SessionManager]) {
        assert.throws(() => new SessionManager(none), { code: 'E_INVALID_ARGUMENT' }, String(none))
      }
      await service.disconnect()
    })
  })
}

const [memory, redis] = engines

describe('sessions as time passes', () => {
  test('a session ends with its life, and its places in the lists with it', async () => {
    const service = await memory.makeService()
    const sessions = new SessionManager(service)
    const short = await sessions.createSession('u', {}, { ttl: 60, tags: ['t'] })
    const long = await sessions.createSession('u', {}, { ttl: 600, tags: ['t'] })
    await memory.advance(service, 59_000)
    assert.ok(await sessions.getSession(short))
    await memory.advance(service, 1_001)
    assert.equal(await sessions.getSession(short), null)
    assert.equal(await sessions.updateSession(short, {}), false)
    assert.equal(await sessions.touch(short), false)
    assert.deepEqual(await sessions.listSessions('u'), [long])
    assert.equal(await sessions.destroyByTag('t'), 1)
    await service.disconnect()
  })

  test('nothing is left when all sessions have ended', async () => {
    const service = await memory.makeService()
    const sessions = new SessionManager(service)
    const ids = await Promise.all(
      Array.from({ length: 10 }, (_, i) => sessions.createSession(`u${i % 2}`, {}, { tags: [`t${i}`], ttl: 60 })),
    )
    await sessions.extendSession(ids[0], 120)
    await memory.advance(service, 3 * DAY * 1000)
    assert.equal(await (await rawClient(service)).dbSize(), 0)
    await service.disconnect()
  })

  test('an extension holds', async () => {
    const service = await memory.makeService()
    const sessions = new SessionManager(service)
    const id = await sessions.createSession('u', {}, { ttl: 60, tags: ['t'] })
    await sessions.extendSession(id, 600)
    await memory.advance(service, 300_000)
    assert.ok(await sessions.getSession(id))
    assert.deepEqual(await sessions.listSessions('u'), [id])
    assert.equal(await sessions.destroyByTag('t'), 1)
    await service.disconnect()
  })
})

describe('sessions between processes', () => {
  test('8 processes with 100 updates each lose nothing', async () => {
    const service = await redis.makeService()
    const sessions = new SessionManager(service)
    const id = await sessions.createSession('u')
    const source = `
      import { SessionManager } from 'cinnabar'
      const [id, writer] = process.argv.slice(1)
      for (let i = 1; i <= 100; i++) {
        const { [writer]: count = 0 } = await SessionManager.getSession(id)
        if (!(await SessionManager.updateSession(id, { [writer]: count + 1 }))) throw new Error('gone')
      }`
    const writers = Array.from({ length: 8 }, (_, i) => runModule(source, { env: redis.env(), args: [id, `w${i}`] }))
    for (const { status, err } of await Promise.all(writers)) assert.equal(status, 0, err)
    const session = await sessions.getSession(id)
    for (let i = 0; i < 8; i++) assert.equal(session[`w${i}`], 100)
    await service.disconnect()
  })
})
