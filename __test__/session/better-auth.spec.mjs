// The secondary storage of better-auth: its own calls, and an application with the real better-auth whose sessions are only there.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { betterAuth } from 'better-auth'
import { memoryAdapter } from 'better-auth/adapters/memory'
import { RedisService } from 'cinnabar'
import { secondaryStorage } from 'cinnabar/better-auth'

import { rawClient, refuses, runJson } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'
import { engines } from '../support/engines.mjs'

const origin = 'http://localhost:3000'

function makeAuth(storage, options) {
  return betterAuth({
    baseURL: origin,
    secret: 'a secret of this test, which is long enough',
    database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
    secondaryStorage: storage,
    emailAndPassword: { enabled: true },
    telemetry: { enabled: false },
    logger: { disabled: true },
    ...options,
  })
}

const headersWith = (response) =>
  new Headers({ cookie: response.headers.getSetCookie().map((cookie) => cookie.split(';')[0]).join('; ') }) // prettier-ignore

for (const engine of engines) {
  const withStorage = (run) => async () => {
    const service = await engine.makeService()
    try {
      await run({ storage: secondaryStorage(service), client: await rawClient(service), service })
    } finally {
      await service.disconnect()
    }
  }

  describe(`the secondary storage of better-auth on ${engine.name}`, () => {
    test(
      'values are texts under the prefix, with the ttl that they are given',
      withStorage(async ({ storage, client, service }) => {
        assert.equal(await storage.get('none'), null)
        await storage.set('a', '{"a":1}', 60)
        assert.equal(await client.get('better-auth:a'), '{"a":1}')
        assert.ok((await client.ttl('better-auth:a')) > 55)
        assert.equal(await storage.get('a'), '{"a":1}')
        await storage.set('kept', 'text')
        assert.equal(await client.ttl('better-auth:kept'), -1)
        await storage.set('kept', 'text', 0)
        assert.equal(await storage.get('kept'), null)
        await storage.delete('a')
        await storage.delete('a')
        assert.equal(await storage.get('a'), null)
        const own = secondaryStorage(service, { prefix: 'own:' })
        await own.set('a', 'mine', 0.5)
        assert.equal(await client.get('own:a'), 'mine')
      }),
    )

    test(
      'of concurrent calls, one takes a value',
      withStorage(async ({ storage, client }) => {
        await storage.set('token', 'value', 60)
        const taken = await Promise.all(Array.from({ length: 50 }, () => storage.getAndDelete('token')))
        assert.deepEqual(
          taken.filter((value) => value !== null),
          ['value'],
        )
        assert.equal(await client.exists('better-auth:token'), 0)
      }),
    )

    test(
      'a counter counts every call, and its ttl begins with the first',
      withStorage(async ({ storage, client }) => {
        const counts = await Promise.all(Array.from({ length: 50 }, () => storage.increment('ip', 60)))
        assert.deepEqual(counts.sort((a, b) => a - b), Array.from({ length: 50 }, (_, n) => n + 1)) // prettier-ignore
        await client.expire('better-auth:ip', 10)
        assert.equal(await storage.increment('ip', 60), 51)
        assert.ok((await client.ttl('better-auth:ip')) <= 10)
        await refuses(storage.increment('ip', 0), 'E_INVALID_ARGUMENT', /ttl must be/)
      }),
    )

    test(
      'sign-up, sign-in, reading, listing and revoking sessions work',
      withStorage(async ({ storage, client }) => {
        const auth = makeAuth(storage)
        const account = { email: 'ada@example.com', password: 'a long password' }
        await auth.api.signUpEmail({ body: { ...account, name: 'Ada' } })
        const signIn = () => auth.api.signInEmail({ body: account, asResponse: true })
        const headers = headersWith(await signIn())
        const phone = headersWith(await signIn())
        const { session, user } = await auth.api.getSession({ headers })
        assert.equal(user.email, account.email)
        const stored = JSON.parse(await client.get(`better-auth:${session.token}`))
        assert.equal(stored.user.email, account.email)
        assert.ok((await client.ttl(`better-auth:${session.token}`)) > 0)
        assert.equal((await auth.api.listSessions({ headers })).length, 3)
        const other = await auth.api.getSession({ headers: phone })
        await auth.api.revokeSession({ headers, body: { token: other.session.token } })
        assert.equal(await auth.api.getSession({ headers: phone }), null)
        assert.equal((await auth.api.getSession({ headers })).session.token, session.token)
        await auth.api.signOut({ headers })
        assert.equal(await auth.api.getSession({ headers }), null)
        assert.equal(await client.exists(`better-auth:${session.token}`), 0)
      }),
    )

    test(
      'limits of better-auth are counted in it',
      withStorage(async ({ storage }) => {
        const rateLimit = { enabled: true, window: 60, max: 3, storage: 'secondary-storage' }
        const auth = makeAuth(storage, { rateLimit })
        const headers = { 'x-forwarded-for': '203.0.113.7' }
        const ask = async () => (await auth.handler(new Request(`${origin}/api/auth/ok`, { headers }))).status
        const statuses = await Promise.all(Array.from({ length: 10 }, ask))
        assert.equal(statuses.filter((status) => status === 200).length, 3)
        assert.equal(statuses.filter((status) => status === 429).length, 7)
      }),
    )

    test(
      'any text is a key, and wrong options are refused',
      withStorage(async ({ storage, service }) => {
        for (const key of ['', '\0', '__proto__', '\ud800', '*', 'x'.repeat(1 << 17)]) {
          assert.equal(await storage.get(key), null)
          await storage.set(key, 'value', 60)
          assert.equal(await storage.get(key), 'value')
          assert.equal(await storage.getAndDelete(key), 'value')
        }
        for (const [options, message] of [
          [{ prefx: 'a' }, /unknown option "prefx"; did you mean "prefix"/],
          [{ prefix: 1 }, /prefix must be a string/],
        ])
          assert.throws(() => secondaryStorage(service, options), { code: 'E_INVALID_ARGUMENT', message })
        assert.throws(() => secondaryStorage({}), { code: 'E_INVALID_ARGUMENT' })
        assert.throws(() => secondaryStorage(service, { prefix: 'session:' }), { code: 'E_INVALID_SETTINGS' })
        await refuses(storage.get(1), 'E_INVALID_ARGUMENT')
        await refuses(storage.set('a', 1), 'E_INVALID_ARGUMENT', /the value must be a string/)
        await refuses(storage.set('a', 'b', NaN), 'E_INVALID_ARGUMENT', /ttl must be/)
      }),
    )
  })
}

test('the secondary storage works in a cluster', async (t) => {
  const cluster = await startCluster()
  t.after(() => cluster.close())
  const service = new RedisService({ url: cluster.url, log: false })
  t.after(() => service.disconnect())
  const storage = secondaryStorage(service)
  const keys = Array.from({ length: 50 }, (_, n) => `key${n}`)
  await Promise.all(keys.map((key) => storage.set(key, key, 60)))
  assert.deepEqual(await Promise.all(keys.map((key) => storage.getAndDelete(key))), keys)
  assert.deepEqual(new Set(await Promise.all(keys.map((key) => storage.increment(key, 60)))), new Set([1]))
})

test('without a service it is on the default one, in a program that imports nothing else', async () => {
  const result = await runJson(
    `import { secondaryStorage } from 'cinnabar/better-auth'
    const storage = secondaryStorage()
    await storage.set('a', 'b', 60)
    console.log(JSON.stringify(await storage.get('a')))`,
    { env: { REDIS_URL: 'memory:' } },
  )
  assert.equal(result, 'b')
})
