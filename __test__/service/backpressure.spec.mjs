// What one tick may ask for, and what the environment may say.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { setImmediate as nextTick } from 'node:timers/promises'

import { ApiCache, RedisService } from 'cinnabar'

import { runModule } from '../helpers.mjs'
import { startRedis } from '../support/redis.mjs'

const server = await startRedis()
after(() => server.stop())

async function codes(promises) {
  const counts = {}
  for (const { status, reason } of await Promise.allSettled(promises)) {
    const code = status === 'fulfilled' ? 'ok' : reason.code
    counts[code] = (counts[code] ?? 0) + 1
  }
  return counts
}

describe('what is under way', () => {
  const within = async (options, run) => {
    const service = new RedisService({ url: server.url, log: false, ...options })
    await service.connect()
    await run(service)
    // No call has got the result of another.
    await service.set('after', 'value')
    assert.equal(await service.get('after'), 'value')
    await service.disconnect()
  }

  test('is bounded in calls, within one tick too', async () => {
    await within({ maxQueuedCalls: 10 }, async (service) => {
      const many = (call) => Array.from({ length: 1000 }, call)
      assert.deepEqual(await codes(many((_, i) => service.set(`key:${i}`, 'v'))), { ok: 10, E_BACKPRESSURE: 990 })
      assert.deepEqual(await codes(many((_, i) => service.get(`key:${i}`))), { ok: 10, E_BACKPRESSURE: 990 })
    })
  })

  test('is bounded in bytes, within one tick too', async () => {
    await within({ maxQueuedBytes: 2500 }, async (service) => {
      const sets = () => Array.from({ length: 100 }, () => service.set('k', 'x'.repeat(1000)))
      assert.deepEqual(await codes(sets()), { ok: 2, E_BACKPRESSURE: 98 })
      // A call that is alone has room.
      assert.equal(await service.set('k', 'x'.repeat(10_000)), 'OK')
    })
  })

  test('leaves as much room as there is to the calls of a tick, which travel as one command', async (t) => {
    await within({ maxQueuedCalls: 10 }, async (service) => {
      t.after(() => server.resume())
      const cache = new ApiCache(service, { onUnavailable: 'throw' })
      const many = (count) => Array.from({ length: count }, (_, i) => cache.get(`key:${i}`))
      await Promise.all(many(2))
      server.pause()
      const before = codes(many(7))
      await nextTick()
      const beside = codes(many(11))
      await nextTick()
      // Those of the ticks before have taken all the room by now.
      await assert.rejects(service.get('key:0'), { code: 'E_BACKPRESSURE' })
      server.resume()
      assert.deepEqual(await before, { ok: 7 })
      assert.deepEqual(await beside, { ok: 3, E_BACKPRESSURE: 8 })
    })
  })

  test('leaves calls that fill it the question of whether the server is in cluster mode', async () => {
    for (const options of [{ maxQueuedCalls: 1 }, { maxQueuedBytes: 1024 }]) {
      await within(options, async (service) => {
        assert.equal(await service.del('none', 'x'.repeat(2000)), 0)
      })
    }
    await within({ maxQueuedCalls: 10 }, async (service) => {
      const removals = Array.from({ length: 11 }, (_, i) => service.del(`none:${i}`, 'other'))
      assert.deepEqual(await codes(removals), { ok: 10, E_BACKPRESSURE: 1 })
    })
  })

  test('is bounded over the microtasks of one tick', async () => {
    await within({ maxQueuedCalls: 10 }, async (service) => {
      const calls = []
      for (let i = 0; i < 300; i++) {
        calls.push(service.set('k', 'v'))
        await null
      }
      const { ok = 0, E_BACKPRESSURE: refused = 0, ...others } = await codes(calls)
      assert.deepEqual(others, {})
      assert.equal(ok + refused, 300)
    })
  })
})

test(
  'a process without file descriptors for a moment is not without a store for ever',
  { skip: process.platform === 'win32' },
  async () => {
    const script = `
    const fs = require('node:fs')
    const { RedisService } = require('./index.js')
    const open = []
    try { for (;;) open.push(fs.openSync('/dev/null', 'r')) } catch {}
    const service = new RedisService({ url: 'memory:', log: false })
    service.set('a', '1').then(() => 'no error', (error) => error).then(async ({ code, retryable }) => {
      open.forEach((fd) => fs.closeSync(fd))
      console.log(JSON.stringify([code, retryable, await service.set('a', '1')]))
      process.exit(0)
    })
  `
    const { execFile } = await import('node:child_process')
    const { root } = await import('../helpers.mjs')
    const out = await new Promise((resolve, reject) =>
      execFile(
        'bash',
        ['-c', 'ulimit -n 64; exec "$0" -e "$1"', process.execPath, script],
        { cwd: root },
        (error, out) => (error ? reject(error) : resolve(out)),
      ),
    )
    assert.deepEqual(JSON.parse(out), ['E_UNAVAILABLE', true, 'OK'])
  },
)

describe('the environment', () => {
  const said = (env, source) => runModule(`import { RedisService, RateLimiter } from 'cinnabar'\n${source}`, { env })

  test('is not judged where it is not used', async () => {
    const env = { REDIS_PORT: 'tcp://10.96.0.12:6379', REDIS_POOL_SIZE: 'many', REDIS_URL: 'memory:' }
    const { status, err } = await said(
      env,
      `await new RedisService().set('a', '1'); await RateLimiter.checkRateLimit('a'); process.exit()`,
    )
    assert.equal(status, 0, err)
    assert.equal(err, '')
  })

  test('may quote a URL, and have parameters in it that mean nothing', async () => {
    const env = { REDIS_URL: `"${server.url}?family=0&ssl_cert_reqs=none"` }
    const { status, out, err } = await said(
      env,
      `
      for (let i = 0; i < 2; i++) console.log(await new RedisService().set('a', '1'))
      process.exit()`,
    )
    assert.equal(status, 0, err)
    assert.equal(out, 'OK\nOK\n')
    assert.equal(err.match(/family, ssl_cert_reqs/g)?.length, 1, err)
  })
})

test('what every object inherits is no option', async () => {
  const { out, err, status } = await runModule(`
    import { ApiCache, RedisService } from 'cinnabar'
    Object.prototype.id = 'mine'
    Object.prototype.ttl = 1
    Object.prototype.url = 'redis://127.0.0.1:1'
    const service = new RedisService({ url: 'memory:' })
    const other = new RedisService({ poolSize: 2 })
    console.log(await service.sessions.createSession('u', {}), await service.sessions.createSession('u', {}, {}), await other.set('a', '1'))
    process.exit()`)
  assert.equal(status, 0, err)
  const [one, two, set] = out.trim().split(' ')
  assert.ok(one.length > 30 && two.length > 30 && one !== two, out)
  assert.equal(set, 'OK')
})
