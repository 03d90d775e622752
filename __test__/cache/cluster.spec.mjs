import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { ApiCache, RateLimiter, RedisService } from 'cinnabar'

import { deferred, until } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'

const numbers = (count) => Array.from({ length: count }, (_, n) => n)

describe('the cache in a cluster', () => {
  let cluster, service, cache
  before(async () => {
    cluster = await startCluster({ primaries: 3, replicas: 0, fullCoverage: false })
    service = new RedisService({ url: cluster.url, log: false, timeoutMs: 2000, connectWaitMs: 500, breaker: false })
    cache = new ApiCache(service, { onUnavailable: 'throw' })
  })
  after(async () => {
    await service.disconnect()
    await cluster.close()
  })

  test('what another process writes or drops wins over a load, whatever the slot', async () => {
    const other = new RedisService({ url: cluster.url, log: false })
    const there = new ApiCache(other)
    const changes = [
      [(key) => there.invalidate(key), null],
      [(key) => there.deleteMany([key, `other:${key}`]), null],
      [() => there.invalidateByPattern('load:*'), null],
      [() => there.invalidateByTag('t'), null],
      [() => there.expireByTag('t'), null],
      [() => there.clear(), null],
      [(key) => there.set(key, 'set', { tags: ['u'] }), 'set'],
    ]
    for (const [change, left] of changes) {
      const keys = numbers(12).map((n) => `load:${n}`)
      const gate = deferred()
      let loads = 0
      const options = { tags: ['t', 'v'] }
      const loading = keys.map((key) => cache.getOrSet(key, () => (loads++, gate.promise), options))
      await until('all are loading', () => loads === keys.length)
      for (const key of keys) await change(key)
      gate.resolve('old')
      assert.deepEqual(new Set(await Promise.all(loading)), new Set(['old']))
      assert.deepEqual(new Set(await cache.getMany(keys)), new Set([left]))
      await cache.invalidateByPattern('load:*')
    }
    await other.disconnect()
  })

  test('a route with braces spreads its addresses over all slots', () => {
    const slots = numbers(1000).map((n) => cluster.keySlot(RateLimiter.keyForRoute(`10.0.0.${n}`, '/users/{id}')))
    assert.ok(new Set(slots).size > 100)
  })

  test('while a shard is away, keys of the others work, with tags and without', async () => {
    const [away] = cluster.nodes
    const lies = async (key) => (await cluster.nodeOf(cluster.keySlot(key))) !== away
    const tags = numbers(9).map((n) => `tag${n}`)
    const keys = numbers(60).map((n) => ({ plain: `p${n}`, tagged: `t${n}`, tag: tags[n % 9] }))
    for (const [n, { plain, tagged, tag }] of keys.entries()) {
      await cache.setMany([
        { key: plain, value: n },
        { key: tagged, value: n, tags: [tag] },
      ])
    }
    await cache.getMany(keys.map(({ tagged }) => tagged))
    const expected = []
    for (const { plain, tagged, tag } of keys) {
      const marked = await lies(`api:{api:tag:${tag}}:mark`)
      expected.push([await lies(`api:${plain}`), (await lies(`api:${tagged}`)) && marked])
    }
    assert.ok(expected.some(([, tagged]) => tagged) && expected.some(([plain]) => !plain))
    await away.kill()
    const isThere = (key) =>
      cache.get(key).then(
        (value) => value !== null,
        ({ code }) => assert.match(code, /^E_(UNAVAILABLE|NOT_SENT|TIMEOUT)$/) ?? false,
      )
    const found = () => Promise.all(keys.map(({ plain, tagged }) => Promise.all([isThere(plain), isThere(tagged)])))
    await until('the others reply', async () => {
      const now = await found()
      return JSON.stringify(now) === JSON.stringify(expected)
    })
    // One that has met no tag yet.
    const fresh = new ApiCache(service)
    for (const [n, { plain }] of keys.entries()) if (expected[n][0]) assert.equal(await fresh.get(plain), n)
  })
})
