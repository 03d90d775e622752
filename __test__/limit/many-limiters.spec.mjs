// A program may make a limiter for each request.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { runNode } from '../helpers.mjs'
import { startRedis } from '../support/redis.mjs'

const server = await startRedis()
after(() => server.stop())

test('limiters that are used once are freed while their service is open', async () => {
  // A limiter of a thousand policies takes half a megabyte.
  const source = `
    import { RateLimiter, RedisService } from 'cinnabar'
    const service = new RedisService({ url: ${JSON.stringify(server.url)}, log: false })
    const names = Array.from({ length: 1000 }, (_, number) => 'policy' + number)
    const windows = Object.fromEntries(names.map((name) => [name, { limit: 5, per: 60 }]))
    const policies = { ...windows, slots: { algorithm: 'concurrency', limit: 5 } }
    async function use(times) {
      for (let i = 0; i < times; i++) {
        const limiter = new RateLimiter(service, { policies })
        await limiter.check('policy0', String(i))
        await (await limiter.acquire('slots', 'x')).release()
        if (i % 10 > 0) continue
        gc()
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await use(50)
    const before = process.memoryUsage.rss()
    await use(200)
    const grown = process.memoryUsage.rss() - before
    await service.disconnect()
    console.log(grown)`
  const { status, out, err } = await runNode(['--expose-gc', '--input-type=module', '-e', source])
  assert.equal(status, 0, err)
  assert.ok(Number(out) < 50e6, `it grew by ${out.trim()} bytes`)
})
