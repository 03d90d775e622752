// Who is behind a token, with a real PostgreSQL as the truth, Redis up and down.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { after, before, describe, test } from 'node:test'

import pg from 'pg'

import { RedisService, SessionManager } from 'cinnabar'

import { deferred, rawClient, refuses, until } from '../helpers.mjs'
import { engines, freePort, startPostgres } from '../support/engines.mjs'

let postgres
let pool
let queries = 0

before(async () => {
  postgres = await startPostgres()
  pool = new pg.Pool(postgres.config)
  await pool.query('CREATE TABLE users (id text PRIMARY KEY, name text NOT NULL, organisation text NOT NULL)')
  await pool.query(
    'CREATE TABLE sessions (token_hash text PRIMARY KEY, user_id text NOT NULL REFERENCES users, expires timestamptz NOT NULL)',
  )
})

// The server itself ends with this process: its good-bye would reach connections that are closing.
after(() => pool?.end())

const hashOf = (token) => createHash('sha256').update(token).digest('hex')

/** A user with a session; returns the token. */
async function signIn(id = `u${randomBytes(4).toString('hex')}`, expires = 'infinity') {
  const token = randomBytes(24).toString('base64url')
  await pool.query('INSERT INTO users VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [id, `Name of ${id}`, 'red'])
  await pool.query('INSERT INTO sessions VALUES ($1, $2, $3)', [hashOf(token), id, expires])
  return { id, token }
}

/** What the platform's documents do on a miss. */
async function load(tokenHash) {
  queries++
  const { rows } = await pool.query(
    `SELECT users.id AS "userId", name, organisation FROM sessions JOIN users ON users.id = user_id
     WHERE token_hash = $1 AND expires > now()`,
    [tokenHash],
  )
  return rows[0] ?? null
}

for (const engine of engines) {
  describe(`validateSession on ${engine.name} and PostgreSQL`, () => {
    const withSessions = (run) => async () => {
      const service = await engine.makeService()
      queries = 0
      try {
        await run(new SessionManager(service), await rawClient(service), service)
      } finally {
        await service.disconnect()
      }
    }

    test(
      'a miss asks PostgreSQL once and is kept for 300 s under the hash of the token; a hit does not',
      withSessions(async (sessions, client) => {
        const { id, token } = await signIn()
        const wanted = { userId: id, name: `Name of ${id}`, organisation: 'red' }
        assert.deepEqual(await sessions.validateSession(token, { load }), wanted)
        const key = `session:${hashOf(token)}`
        assert.deepEqual(JSON.parse(await client.get(key)), wanted)
        const ttl = await client.ttl(key)
        assert.ok(ttl > 295 && ttl <= 300)
        for (let i = 0; i < 5; i++) assert.deepEqual(await sessions.validateSession(token, { load }), wanted)
        assert.equal(queries, 1)
        const { hits, misses, errors } = sessions.stats()
        assert.deepEqual({ hits, misses, errors }, { hits: 5, misses: 1, errors: 0 })
        const other = await signIn()
        await sessions.validateSession(other.token, { load, ttl: 50 })
        assert.ok((await client.ttl(`session:${hashOf(other.token)}`)) <= 50)
        const { keys } = await client.scan(0, { COUNT: 100 })
        for (const found of keys) assert.ok(!found.includes(token), 'the token itself is in a key')
      }),
    )

    test(
      'an unknown or expired token is null, and nothing is kept',
      withSessions(async (sessions, client) => {
        const { token } = await signIn(undefined, '-infinity')
        assert.equal(await sessions.validateSession(token, { load }), null)
        assert.equal(await sessions.validateSession('unknown', { load }), null)
        assert.equal(await sessions.validateSession('unknown', { load: () => undefined }), null)
        assert.equal(await client.exists(`session:${hashOf(token)}`, `session:${hashOf('unknown')}`), 0)
        assert.equal(queries, 2)
      }),
    )

    test(
      'finds the token in whatever carries it',
      withSessions(async (sessions) => {
        const { id, token } = await signIn()
        const url = 'http://localhost/'
        const requests = [
          token,
          new Request(url, { headers: { authorization: `Bearer ${token}` } }),
          new Request(url, { headers: { Authorization: `bearer   ${token} ` } }),
          new Request(url, { headers: { cookie: `a=b; session=${token}; c=d` } }),
          new Request(url, { headers: { cookie: `session="${token}"` } }),
          new Headers({ authorization: `Bearer ${token}` }),
          new Headers({ cookie: `session=${token}` }),
          { headers: { authorization: `Bearer ${token}` } },
          { headers: { cookie: `a=1;session=${token}` } },
          { headers: { cookie: [`a=1`, `session=${token}`] } },
          { headers: new Headers({ authorization: `Bearer ${token}`, cookie: 'session=other' }) },
        ]
        for (const request of requests) assert.equal((await sessions.validateSession(request, { load })).userId, id)
        const named = new Headers({ cookie: `sid=${encodeURIComponent(token)}; session=other` })
        assert.equal((await sessions.validateSession(named, { load, cookie: 'sid' })).userId, id)
        const none = [
          '',
          new Request(url),
          new Headers(),
          { headers: {} },
          new Headers({ cookie: 'session=' }),
          new Headers({ cookie: 'xsession=a; session2=b' }),
          new Headers({ authorization: 'Basic abc' }),
          new Headers({ authorization: 'Bearer' }),
        ]
        queries = 0
        for (const request of none) assert.equal(await sessions.validateSession(request, { load }), null)
        assert.equal(queries, 0)
        for (const bad of [undefined, null, 42, {}, [], () => 1, { headers: null }]) {
          await refuses(sessions.validateSession(bad, { load }), 'E_INVALID_ARGUMENT')
        }
        for (const options of [undefined, {}, { load: 'x' }, { load, ttl: 0 }, { load, ttl: NaN }, { load, tll: 1 }]) {
          await refuses(sessions.validateSession(token, options), 'E_INVALID_ARGUMENT')
        }
      }),
    )

    test(
      'works on a real Node request',
      withSessions(async (sessions) => {
        const { id, token } = await signIn()
        const server = createServer(async (request, response) => {
          const user = await sessions.validateSession(request, { load })
          response.writeHead(user ? 200 : 401).end(user?.userId)
        }).listen(0, '127.0.0.1')
        await new Promise((resolve) => server.once('listening', resolve))
        const url = `http://127.0.0.1:${server.address().port}`
        assert.equal((await fetch(url)).status, 401)
        assert.equal(await (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).text(), id)
        assert.equal(await (await fetch(url, { headers: { cookie: `session=${token}` } })).text(), id)
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      }),
    )

    test(
      '100 concurrent requests with one token ask PostgreSQL once',
      withSessions(async (sessions) => {
        const { id, token } = await signIn()
        const users = await Promise.all(Array.from({ length: 100 }, () => sessions.validateSession(token, { load })))
        assert.deepEqual(new Set(users.map((user) => user.userId)), new Set([id]))
        assert.equal(queries, 1)
      }),
    )

    test(
      'invalidateUser drops what was kept of a user',
      withSessions(async (sessions) => {
        const { id, token } = await signIn()
        const second = (await signIn(id)).token
        const other = await signIn()
        for (const each of [token, second, other.token]) await sessions.validateSession(each, { load })
        await pool.query('UPDATE users SET organisation = $1 WHERE id = $2', ['blue', id])
        assert.equal((await sessions.validateSession(token, { load })).organisation, 'red')
        assert.equal(await sessions.invalidateUser(id), 2)
        assert.equal((await sessions.validateSession(token, { load })).organisation, 'blue')
        assert.equal((await sessions.validateSession(second, { load })).organisation, 'blue')
        assert.equal(queries, 5)
        await sessions.validateSession(other.token, { load })
        assert.equal(queries, 5)
      }),
    )

    test(
      'a load that began before invalidateUser never fills the cache after it',
      withSessions(async (sessions) => {
        const { id, token } = await signIn()
        const gate = deferred()
        let loading = false
        const slow = async (hash) => {
          const user = await load(hash)
          loading = true
          await gate.promise
          return user
        }
        const old = sessions.validateSession(token, { load: slow })
        await until('the load has begun', () => loading)
        await pool.query('UPDATE users SET organisation = $1 WHERE id = $2', ['blue', id])
        await sessions.invalidateUser(id)
        gate.resolve()
        assert.equal((await old).organisation, 'red')
        assert.equal((await sessions.validateSession(token, { load })).organisation, 'blue')
      }),
    )

    test(
      'an error of PostgreSQL reaches the caller, and nothing is kept',
      withSessions(async (sessions, client) => {
        const { token } = await signIn()
        const broken = () => pool.query('SELECT * FROM no_such_table')
        await assert.rejects(sessions.validateSession(token, { load: broken }), { code: '42P01' })
        assert.equal(await client.exists(`session:${hashOf(token)}`), 0)
        assert.ok(await sessions.validateSession(token, { load }))
      }),
    )
  })
}

describe('validateSession without Redis', () => {
  test('asks PostgreSQL alone, once for all who wait, and counts the errors', async () => {
    const url = `redis://127.0.0.1:${await freePort()}`
    const service = new RedisService({ url, connectTimeoutMs: 300, timeoutMs: 1000, retryAttempts: 0 })
    const sessions = new SessionManager(service)
    const { id, token } = await signIn()
    queries = 0
    const users = await Promise.all(Array.from({ length: 20 }, () => sessions.validateSession(token, { load })))
    assert.deepEqual(new Set(users.map((user) => user.userId)), new Set([id]))
    assert.equal(queries, 1)
    assert.ok(sessions.stats().errors >= 1)
    assert.equal(await sessions.validateSession('unknown', { load }), null)
    await service.disconnect()
  })

  test('goes on while Redis goes away, and uses it again when it is back', async () => {
    const [, redis] = engines
    const service = await redis.makeService({ timeoutMs: 1000, connectTimeoutMs: 500 })
    const sessions = new SessionManager(service)
    const { id, token } = await signIn()
    assert.equal((await sessions.validateSession(token, { load })).userId, id)
    await redis.server.stop()
    for (let i = 0; i < 3; i++) assert.equal((await sessions.validateSession(token, { load })).userId, id)
    await redis.server.start()
    await until(
      'Redis responds again',
      async () => {
        queries = 0
        await sessions.validateSession(token, { load })
        return queries === 0
      },
      30,
    )
    assert.ok(sessions.stats().errors >= 1)
    await service.disconnect()
  })

  test('a token looks the same with Redis and without', async () => {
    const [memory] = engines
    const seen = []
    const remember = (hash) => void seen.push(hash)
    const up = await memory.makeService()
    const down = new RedisService({ url: `redis://127.0.0.1:${await freePort()}`, connectTimeoutMs: 300 })
    for (const token of ['token', 'tökén', 'x'.repeat(3000)]) {
      await new SessionManager(up).validateSession(token, { load: remember })
      await new SessionManager(down).validateSession(token, { load: remember })
      assert.equal(seen.at(-1), seen.at(-2))
      assert.equal(seen.at(-1), hashOf(token))
    }
    await Promise.all([up.disconnect(), down.disconnect()])
  })
})
