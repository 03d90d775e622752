// What pages get from the cache handlers while the server is down, hangs, refuses or is a cluster.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { RedisService } from 'cinnabar'
import { createCacheHandler } from 'cinnabar/next/cache-handler'
import { createCacheHandlers } from 'cinnabar/next/cache-handlers'

import { rawClient, refuses, until } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'
import { engines } from '../support/engines.mjs'
import { entryOf, fetchedOf, pageOf, put, serverFilesOf, textOf } from '../support/next-cache.mjs'

const [, redis] = engines
const PAGE = { kind: 'APP_PAGE', isFallback: false }
const TIMEOUT_MS = 200
// What a busy machine may add.
const SLACK_MS = 150
const serverDistDir = serverFilesOf('one')

/** Both handlers of one service, with the lines that they log. */
function handlersOf(service, options) {
  const lines = []
  const own = {
    service,
    timeoutMs: TIMEOUT_MS,
    tagTimeoutMs: 2 * TIMEOUT_MS,
    log: (line) => lines.push(line),
    ...options,
  }
  const Class = createCacheHandler(own)
  return { use: createCacheHandlers(own), pages: new Class({ serverDistDir, revalidatedTags: [] }), lines, Class }
}

const withHandlers = (run) => async () => {
  const service = await redis.makeService({ log: false })
  try {
    await run({ ...handlersOf(service), service })
  } finally {
    await service.disconnect()
  }
}

async function timed(promise) {
  const started = performance.now()
  const value = await promise
  return { value, ms: performance.now() - started }
}

/** What a page does that misses: all calls, each with the time that it took. */
async function pageWithout({ use, pages }) {
  return [
    await timed(use.get('key', ['a'])),
    await timed(use.get('other', ['a'])),
    await timed(pages.get('/page', PAGE)),
    await timed(pages.get('fetch', { kind: 'FETCH', tags: ['a'], softTags: [] })),
    await timed(use.set('key', Promise.resolve(entryOf('anew')))),
    await timed(pages.set('/page', pageOf('anew'), { cacheControl: { revalidate: 60, expire: 600 } })),
    await timed(pages.set('fetch', fetchedOf('anew'), { fetchCache: true, tags: ['a'] })),
    await timed(use.refreshTags()),
    await timed(use.getExpiration(['a'])),
  ]
}

for (const [what, begin, end] of [
  ['hangs', () => redis.server.pause(), () => redis.server.resume()],
  ['is down', () => redis.server.kill(), () => redis.server.start()],
]) {
  test(
    `while the server ${what}, one call waits for it at most, none fails, and it is logged once`,
    withHandlers(async (handlers) => {
      const { use, pages, lines, Class } = handlers
      await put(use, 'key', 'value', { tags: ['a'] })
      await pages.get('/page', PAGE)
      await pages.set('/page', pageOf('page', ['a']), { cacheControl: { revalidate: 60, expire: 600 } })
      assert.deepEqual(
        [await textOf(await use.get('key', [])), (await pages.get('/page', PAGE)).value.html],
        ['value', 'page'],
      )
      await begin()
      try {
        const results = await pageWithout(handlers)
        assert.deepEqual(
          results.map(({ value }) => value ?? undefined),
          [...Array(8).fill(undefined), Infinity],
        )
        assert.ok(results[0].ms < TIMEOUT_MS + SLACK_MS, String(results[0].ms))
        for (const { ms } of results.slice(1)) assert.ok(ms < SLACK_MS, String(ms))
        // Invalidations are tried, and rejected if they are not known to be done.
        for (const invalidate of [() => use.updateTags(['a']), () => pages.revalidateTag('a', { expire: 60 })]) {
          const { value, ms } = await timed(invalidate().catch((error) => error))
          await refuses(Promise.reject(value))
          assert.ok(ms < 2 * TIMEOUT_MS + SLACK_MS, String(ms))
        }
        assert.equal(lines.length, 1, lines.join('\n'))
        assert.match(
          lines[0],
          /^cinnabar: the cache of Next\.js does without its server, so that pages are rendered anew: /,
        )
        assert.equal(use.stats().outages, 1)
        assert.ok(use.stats().failures >= 4 && Class.stats().failures >= 4)
      } finally {
        await end()
      }
      await until('it has its server again', async () => {
        await use.get('key', [])
        return lines.length === 2
      })
      assert.match(lines[1], /^cinnabar: the cache of Next\.js has its server again, after \d s$/)
      await put(use, 'key', 'new', { tags: ['a'] })
      assert.equal(await textOf(await use.get('key', [])), 'new')
    }),
  )
}

test(
  'a write that hangs holds up a page for timeoutMs, and reads of its key too',
  withHandlers(async ({ use, pages }) => {
    await put(use, 'key', 'value')
    await pages.get('/page', PAGE)
    const value = new ReadableStream({
      async pull(controller) {
        redis.server.pause()
        controller.close()
      },
    })
    try {
      const stored = timed(use.set('key', Promise.resolve({ ...entryOf(''), value })))
      const found = timed(use.get('key', []))
      assert.ok((await stored).ms < TIMEOUT_MS + SLACK_MS)
      const { value: entry, ms } = await found
      assert.equal(entry, undefined)
      assert.ok(ms < 2 * TIMEOUT_MS + SLACK_MS, String(ms))
    } finally {
      redis.server.resume()
    }
  }),
)

test('a server that never was there delays nothing, and the first call connects', async () => {
  const service = new RedisService({ url: 'redis://127.0.0.1:1', log: false })
  const { lines, ...handlers } = handlersOf(service)
  assert.equal(service.isConnected, false)
  for (const { ms } of await pageWithout(handlers)) assert.ok(ms < TIMEOUT_MS + SLACK_MS)
  assert.equal(lines.length, 1)
  await service.disconnect()
})

test('settings that are invalid are logged, and fail no page', async () => {
  const service = new RedisService({ url: redis.server.url, log: false, password: 'wrong', username: 'none' })
  const { lines, ...handlers } = handlersOf(service)
  const results = await pageWithout(handlers)
  assert.deepEqual([results[0].value, results[2].value], [undefined, null])
  assert.equal(lines.length, 1, lines.join('\n'))
  await refuses(handlers.use.updateTags(['a']))
  await service.disconnect()
})

test(
  'a server without memory for more fails no page',
  withHandlers(async ({ use, lines, service }) => {
    const client = await rawClient(service)
    await put(use, 'key', 'value')
    await client.sendCommand(['CONFIG', 'SET', 'maxmemory', '1'])
    try {
      await use.set('key', Promise.resolve(entryOf('new')))
      assert.deepEqual([use.stats().stored, lines.length], [1, 1], lines.join('\n'))
      await refuses(use.updateTags(['a']), 'E_OUT_OF_MEMORY')
    } finally {
      await client.sendCommand(['CONFIG', 'SET', 'maxmemory', '0'])
    }
    assert.equal(await textOf(await use.get('key', [])), 'value')
  }),
)

describe('in a cluster', () => {
  test('entries lie on all nodes, and tags on one', async () => {
    const cluster = await startCluster({ primaries: 3, replicas: 0 })
    const services = [1, 2].map(() => new RedisService({ url: cluster.url, log: false }))
    try {
      const [one, other] = services.map((service) => handlersOf(service, { timeoutMs: 2000 }))
      const keys = Array.from({ length: 30 }, (_, at) => `key ${at}`)
      await Promise.all(keys.map((key) => put(one.use, key, key, { tags: ['a', key] })))
      await one.pages.get('/page', PAGE)
      await one.pages.set('/page', pageOf('page', ['a']), { cacheControl: { revalidate: 60, expire: 600 } })
      const found = await Promise.all(keys.map(async (key) => textOf(await other.use.get(key, ['_N_T_/']))))
      assert.deepEqual(found, keys)
      const sizes = await Promise.all(cluster.nodes.map((node) => node.command('DBSIZE')))
      assert.ok(
        sizes.every((size) => Number(size) > 0),
        sizes.join(),
      )
      await other.use.updateTags(['key 7'])
      assert.equal(await one.use.get('key 7', []), undefined)
      assert.equal(await textOf(await one.use.get('key 8', [])), 'key 8')
      await other.pages.revalidateTag('a')
      assert.equal(await one.pages.get('/page', PAGE), null)
      assert.equal(await one.use.get('key 8', []), undefined)
      assert.deepEqual([one.lines, other.lines], [[], []])
    } finally {
      await Promise.all(services.map((service) => service.disconnect()))
      await cluster.close()
    }
  })
})
