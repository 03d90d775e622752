// The store in express-rate-limit itself, in front of a route of Express, over HTTP.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { RedisService } from 'cinnabar'
import { CinnabarStore } from 'cinnabar/express-rate-limit'
import express from 'express'
import { rateLimit } from 'express-rate-limit'

import { until } from '../helpers.mjs'
import { engines, freePort } from '../support/engines.mjs'

async function serve(options) {
  const app = express()
  const limiter = rateLimit({
    windowMs: 60_000,
    limit: 2,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    ...options,
  })
  app.use(limiter)
  app.get('/status/:status', (request, response) => response.status(Number(request.params.status)).send('ok'))
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  after(() => server.close())
  const send = async (status = 200) =>
    (await fetch(`http://127.0.0.1:${server.address().port}/status/${status}`)).status
  return { send, limiter }
}

for (const engine of engines) {
  describe(`express-rate-limit on ${engine.name}`, async () => {
    const service = await engine.makeService()
    after(() => service.disconnect())
    let number = 0
    const makeStore = (options) => new CinnabarStore({ service, prefix: `rl${number++}:`, ...options })

    test('counts, refuses and resets, over several processes', async () => {
      const [store, other] = [makeStore({ prefix: 'shared:' }), makeStore({ prefix: 'shared:' })]
      const one = await serve({ store, keyGenerator: () => 'ann' })
      const two = await serve({ store: other, keyGenerator: () => 'ann' })
      assert.deepEqual([await one.send(), await two.send(), await one.send(), await two.send()], [200, 200, 429, 429])
      const { totalHits, resetTime } = await store.get('ann')
      assert.equal(totalHits, 4)
      assert.ok(Math.abs(resetTime - Date.now() - 60_000) < 5000, String(resetTime))
      await one.limiter.resetKey('ann')
      assert.equal(await other.get('ann'), undefined)
      assert.equal(await two.send(), 200)
    })

    test('skipSuccessfulRequests takes back what succeeded', async () => {
      const store = makeStore()
      const { send } = await serve({ store, skipSuccessfulRequests: true, keyGenerator: () => 'bob' })
      for (const status of [200, 200, 200, 401, 200, 401]) assert.equal(await send(status), status)
      await until('two failures count', async () => (await store.get('bob')).totalHits === 2)
      assert.equal(await send(), 429)
    })

    test('a window ends, and what was counted in it is not taken back from the next', async () => {
      const store = makeStore()
      store.init({ windowMs: 3000, skipFailedRequests: true })
      const { resetTime } = await store.increment('eve')
      assert.equal((await store.increment('eve')).totalHits, 2)
      await store.decrement('eve')
      assert.deepEqual(await store.get('eve'), { totalHits: 1, resetTime })
      await engine.advance?.(service, 3001)
      await until('the window ends', async () => (await store.get('eve')) === undefined)
      assert.equal((await store.increment('eve')).totalHits, 1, 'a new window')
      await store.decrement('eve')
      await store.decrement('eve')
      await store.decrement('eve')
      assert.equal(await store.get('eve'), undefined, 'never below 0')
      assert.equal((await store.increment('eve')).totalHits, 1)
    })

    test('what can be taken back of a client is bounded', async () => {
      const store = makeStore()
      store.init({ windowMs: 60_000, skipSuccessfulRequests: true })
      const each = (run) => Promise.all(Array.from({ length: 1050 }, () => run('flood')))
      await each((key) => store.increment(key))
      await each((key) => store.decrement(key))
      assert.equal((await store.get('flood')).totalHits, 50)
      await store.increment('flood')
      await store.decrement('flood')
      assert.equal((await store.get('flood')).totalHits, 50, 'the newest ones')
    })

    test('any text is a key', async () => {
      const store = makeStore()
      store.init({ windowMs: 60_000 })
      for (const key of ['', '{a}', '*', 'a:b', '\0', '\ud800', 'x'.repeat(10_000), '2001:db8::/56']) {
        assert.equal((await store.increment(key)).totalHits, 1)
        assert.equal((await store.increment(key)).totalHits, 2)
      }
    })
  })
}

test('without a server requests pass, unless onUnavailable says otherwise', async (t) => {
  const { mock: logged } = t.mock.method(console, 'error', () => {})
  const service = new RedisService({ url: `redis://127.0.0.1:${await freePort()}`, connectWaitMs: 50, log: false })
  after(() => service.disconnect())
  const keyGenerator = () => 'ann'
  const open = await serve({ store: new CinnabarStore({ service, prefix: 'a:' }), keyGenerator })
  assert.deepEqual([await open.send(), await open.send(), await open.send()], [200, 200, 200])
  const faults = logged.calls.map(({ arguments: [error] }) => error.code)
  assert.deepEqual(faults, ['ERR_ERL_HEADERS_NO_RESET'], 'it knows no end of the window, but each request counts')
  const local = await serve({
    store: new CinnabarStore({ service, prefix: 'b:', onUnavailable: 'local' }),
    keyGenerator,
  })
  assert.deepEqual([await local.send(), await local.send(), await local.send()], [200, 200, 429])
  const closed = await serve({
    store: new CinnabarStore({ service, prefix: 'c:', onUnavailable: 'throw' }),
    keyGenerator,
  })
  assert.equal(await closed.send(), 500)
  const denying = new CinnabarStore({ service, prefix: 'd:', onUnavailable: 'deny' })
  const denied = await serve({ store: denying, keyGenerator })
  assert.equal(await denied.send(), 429)
  const { resetTime } = await denying.increment('ann')
  assert.ok(resetTime - Date.now() <= 1000, 'not at the end of the window')
})

test('what the program got wrong is an error', async () => {
  const service = await engines[0].makeService()
  after(() => service.disconnect())
  for (const wrong of [{ client: {} }, { service: {} }, { prefix: 1 }, { onUnavailable: 'pass' }]) {
    assert.throws(() => new CinnabarStore({ service, ...wrong }), { name: 'CinnabarError' }, JSON.stringify(wrong))
  }
  for (const wrong of ['x', null, []]) assert.throws(() => new CinnabarStore(wrong), { code: 'E_INVALID_ARGUMENT' })
  const store = new CinnabarStore({ prefix: 'none:' })
  await assert.rejects(store.increment('a'), { code: 'E_INVALID_ARGUMENT' })
  assert.throws(() => store.init({ windowMs: 0 }), { code: 'E_INVALID_ARGUMENT' })
})
