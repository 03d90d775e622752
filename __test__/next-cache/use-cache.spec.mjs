// The handler for 'use cache', called as Next.js does, by two instances on one store.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'

import handlers, { createCacheHandlers } from 'cinnabar/next/cache-handlers'

import { deferred, rawClient, refuses, root, runJson, runNode } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { beginTags, bytesOf, entryOf, now, put, streamOf, textOf } from '../support/next-cache.mjs'

for (const engine of engines) {
  describe(`'use cache' on ${engine.name}`, () => {
    const withTwo = (run, options) => async () => {
      const service = await engine.makeService()
      const beside = engine.beside(service)
      try {
        const [one, other] = [service, beside].map((each) => createCacheHandlers({ service: each, ...options }))
        const client = await rawClient(service)
        await beginTags(client, options?.prefix)
        await run(one, other, client, service)
      } finally {
        await Promise.all([service.disconnect(), beside.disconnect()])
      }
    }

    test(
      'returns the entry that an instance has stored, to it and to others',
      withTwo(async (one, other) => {
        assert.equal(await one.get('key', ['_N_T_/']), undefined)
        const bytes = [randomBytes(70_000), Buffer.from('\n{}\n'), Buffer.from([0, 255]), randomBytes(1)]
        const entry = entryOf(bytes, { tags: ['a', 'b'], stale: 1, revalidate: 2, expire: Infinity })
        await one.set('key', Promise.resolve(entry))
        for (const handler of [one, other]) {
          const { value, timestamp, ...fields } = await handler.get('key', ['_N_T_/'])
          assert.deepEqual(fields, { tags: ['a', 'b'], stale: 1, revalidate: 2, expire: Infinity })
          assert.equal(timestamp, entry.timestamp)
          assert.deepEqual(await bytesOf({ value }), Buffer.concat(bytes))
        }
        const [first, second] = [await other.get('key', []), await other.get('key', [])]
        assert.notEqual(first.value, second.value)
        assert.deepEqual(await bytesOf(second), await bytesOf(first))
        await put(one, 'empty', [])
        assert.equal((await bytesOf(await other.get('empty', []))).length, 0)
      }),
    )

    test(
      'takes whatever a key and a tag contain',
      withTwo(async (one, other) => {
        const texts = [
          '',
          ' ',
          '\n',
          '\0',
          '{tags}',
          '*',
          'ü\u{1f980}',
          '\ud800',
          '\ud801',
          'since',
          'x'.repeat(100_000),
        ]
        for (const [i, text] of texts.entries()) await put(one, text, `value ${i}`, { tags: [text, `tag ${i}`] })
        for (const [i, text] of texts.entries()) {
          assert.equal(await textOf(await other.get(text, [text])), `value ${i}`)
          await other.updateTags([text])
          assert.equal(await one.get(text, []), undefined, text.slice(0, 10))
        }
      }),
    )

    test(
      'sees at the next call what another instance has invalidated: tags of the entry, and of the path',
      withTwo(async (one, other) => {
        for (const [tag, softTags] of [
          ['a', []],
          ['_N_T_/shop', ['_N_T_/layout', '_N_T_/shop']],
        ]) {
          await put(one, 'key', 'old', { tags: ['a', 'b'] })
          assert.equal(await textOf(await one.get('key', softTags)), 'old')
          await other.updateTags(['unknown', tag])
          assert.equal(await one.get('key', softTags), undefined)
          assert.equal(await other.get('key', softTags), undefined)
          await put(one, 'key', 'new', { tags: ['a', 'b'] })
          assert.equal(await textOf(await other.get('key', softTags)), 'new')
        }
        assert.equal(await one.getExpiration(['a', 'b']), Infinity)
        assert.equal(await one.refreshTags(), undefined)
        await one.updateTags([])
      }),
    )

    test(
      'is called by Next.js 15 with other arguments',
      withTwo(async (one, other) => {
        await put(one, 'key', 'old', { tags: ['a'] })
        await other.expireTags('b', 'a')
        assert.equal(await one.get('key', []), undefined)
        assert.equal(await one.getExpiration('a', 'b'), Infinity)
      }),
    )

    test(
      'keeps a tag stale until it expires',
      withTwo(async (one, other, _client, service) => {
        await put(one, 'key', 'old', { tags: ['a'] })
        await put(one, 'never', 'old', { tags: ['b'] })
        await other.updateTags(['a'], { expire: 0.4 })
        await other.updateTags(['b'], {})
        const stale = await one.get('key', [])
        assert.deepEqual([stale.revalidate, await textOf(stale)], [-1, 'old'])
        await put(one, 'other', 'new', { tags: ['a', 'b'] })
        // Later invalidations do not prolong it.
        await other.updateTags(['a'], { expire: 3600 })
        await other.updateTags(['a'], {})
        await put(one, 'newest', 'new', { tags: ['a', 'b'] })
        await passed(service, 500)
        assert.equal(await one.get('key', []), undefined)
        assert.equal((await one.get('never', [])).revalidate, -1)
        assert.equal((await one.get('newest', [])).revalidate, 900)
        // What has expired stays so when the tag becomes stale again.
        await other.updateTags(['a'], { expire: 3600 })
        assert.equal(await one.get('key', []), undefined)
        assert.equal((await one.get('newest', [])).revalidate, -1)
      }),
    )

    test(
      'does not serve again what has expired when its tag becomes stale',
      withTwo(async (one, other) => {
        await put(one, 'key', 'old', { tags: ['a'] })
        await other.updateTags(['a'])
        await other.updateTags(['a'], { expire: 3600 })
        assert.equal(await one.get('key', []), undefined)
        await put(one, 'key', 'new', { tags: ['a'] })
        assert.equal((await one.get('key', [])).revalidate, 900)
        await other.updateTags(['a'], { expire: 0 })
        assert.equal(await one.get('key', []), undefined)
        await put(one, 'key', 'newer', { tags: ['a'] })
        await other.updateTags(['a'], { expire: NaN })
        assert.equal(await one.get('key', []), undefined)
      }),
    )

    test(
      'does not serve what was begun before an invalidation and stored after it',
      withTwo(async (one, other) => {
        const { promise, resolve } = deferred()
        assert.equal(await one.get('key', []), undefined)
        const entry = entryOf('old', { tags: ['a'] })
        const stored = one.set('key', promise)
        await other.updateTags(['a'])
        resolve(entry)
        await stored
        assert.equal(await one.get('key', []), undefined)
      }),
    )

    test(
      'waits for what the same instance is storing',
      withTwo(async (one) => {
        const { promise, resolve } = deferred()
        assert.equal(await one.get('key', []), undefined)
        const stored = one.set('key', promise)
        const found = [one.get('key', []), one.get('key', [])]
        const others = await one.get('others', [])
        assert.equal(others, undefined)
        resolve(entryOf('value'))
        await stored
        assert.deepEqual(await Promise.all(found.map(async (each) => textOf(await each))), ['value', 'value'])
      }),
    )

    test(
      'stores nothing if the value fails, and what was there stays',
      withTwo(async (one, other) => {
        await put(one, 'key', 'whole')
        await one.set('key', Promise.reject(new Error('no value')))
        const value = streamOf(['a', 'b'], new Error('in the middle'))
        await one.set('key', Promise.resolve(entryOf('', { value })))
        await one.set('other', Promise.resolve(entryOf('', { value: streamOf('a', new Error('in the middle')) })))
        assert.equal(await textOf(await other.get('key', [])), 'whole')
        assert.equal(await one.get('other', []), undefined)
      }),
    )

    test(
      'does not store what is too large, and drops what it would have replaced',
      withTwo(
        async (one, other, client) => {
          await put(one, 'key', 'small')
          assert.equal(await textOf(await other.get('key', [])), 'small')
          let isCancelled = false
          const value = new ReadableStream({
            pull: (controller) => controller.enqueue(new Uint8Array(1000)),
            cancel: () => (isCancelled = true),
          })
          await one.set('key', Promise.resolve(entryOf('', { value })))
          assert.equal(isCancelled, true)
          assert.equal(await one.get('key', []), undefined)
          assert.deepEqual([one.stats().stored, one.stats().tooLarge], [1, 1])
          assert.equal((await keysOf(client)).filter((key) => key.startsWith('next:use:')).length, 0)
        },
        { maxEntryBytes: 4096 },
      ),
    )

    test(
      'gives every key a ttl',
      withTwo(
        async (one, _other, client) => {
          await put(one, 'forever', 'value', { expire: Infinity, tags: ['a'] })
          await put(one, 'short', 'value', { expire: 60 })
          await put(one, 'dynamic', 'value', { expire: 0 })
          await put(one, 'old', 'value', { expire: 60, timestamp: now() - 61_000 })
          await one.updateTags(['a', 'b'], { expire: 1e9 })
          const ttls = []
          for (const key of await keysOf(client)) ttls.push([key.replace(/[0-9a-f]{64}/, '…'), await client.ttl(key)])
          ttls.sort(([a, i], [b, j]) => a.localeCompare(b) || i - j)
          assert.deepEqual(
            ttls.map(([key]) => key),
            ['next:{tags}', 'next:{tags}:order', 'next:use:…', 'next:use:…'],
          )
          const [states, order, short, forever] = ttls.map(([, ttl]) => ttl)
          assert.ok(short > 50 && short <= 60, String(short))
          assert.ok(forever > 86_000 && forever <= 86_400, String(forever))
          for (const ttl of [states, order]) assert.ok(ttl > 86_400, String(ttl))
        },
        { maxAgeSeconds: 86_400 },
      ),
    )

    test(
      'gives a key a ttl when the store was only read',
      withTwo(async (one, _other, client) => {
        assert.equal(await one.get('key', ['a']), undefined)
        assert.deepEqual(await keysOf(client), ['next:{tags}'])
        assert.ok((await client.ttl('next:{tags}')) > 30 * 86_400)
      }),
    )

    test(
      'forgets tags that no entry can be as old as, and the oldest of too many, whose entries then count as invalid',
      withTwo(
        async (one, other, client, service) => {
          const count = async () => [
            await client.zCard('next:{tags}:order'),
            (await client.hKeys('next:{tags}')).length - 1,
          ]
          if (engine.advance) {
            await one.updateTags(['old'])
            for (let step = 0; step < 2; step++) {
              await engine.advance(service, 2_400_000)
              await one.get('key', [])
            }
            await one.updateTags(['new'])
            assert.deepEqual(await count(), [1, 1])
          }
          await put(one, 'before', 'value')
          for (let from = 0; from < 101_000; from += 5000) {
            const tags = Array.from({ length: Math.min(5000, 101_000 - from) }, (_, at) => `tag ${from + at}`)
            await one.updateTags(tags)
            if (from === 0) await put(one, 'between', 'value')
          }
          while ((await count())[0] > 100_000) await one.updateTags(['last'])
          assert.deepEqual(await count(), [100_000, 100_000])
          assert.equal(await other.get('before', []), undefined)
          await put(one, 'after', 'value', { tags: ['tag 0'] })
          assert.equal(await textOf(await other.get('after', [])), 'value')
        },
        { maxAgeSeconds: 60, tagTimeoutMs: 10_000 },
      ),
    )

    test(
      'treats everything as invalid after the states of tags were lost',
      withTwo(async (one, other, client) => {
        await put(one, 'key', 'old', { tags: ['a'] })
        await one.updateTags(['a'])
        await client.unlink('next:{tags}')
        assert.equal(await other.get('key', []), undefined)
        await put(one, 'key', 'new', { tags: ['a'] })
        assert.equal(await textOf(await other.get('key', [])), 'new')
        await one.updateTags(['b'])
        // Without it, tags would never be dropped.
        await client.unlink('next:{tags}:order')
        await one.updateTags(['c'])
        assert.equal(await other.get('key', []), undefined)
        assert.equal((await client.hKeys('next:{tags}')).length, 2)
      }),
    )

    test(
      'takes anything else in place of an entry for none',
      withTwo(
        async (one, other, client) => {
          await put(one, 'key', 'value')
          const [key] = (await keysOf(client)).filter((each) => each.startsWith('next:use:'))
          const bytes = await client.getBuffer(key)
          const text = bytes.toString('latin1')
          const wrong = [
            '',
            '\n',
            'no json\n',
            'null\n',
            '{"v":1}\n',
            text.slice(0, -1),
            `${text}x`,
            text.replace('"v":1', '"v":2'),
          ]
          for (const each of wrong) {
            await client.set(key, Buffer.from(each, 'latin1'), { EX: 60 })
            assert.equal(await other.get('key', []), undefined, each)
          }
          await client.unlink(key)
          await client.hSet(key, 'a', 'b')
          assert.equal(await other.get('key', []), undefined)
        },
        { log: false },
      ),
    )

    test(
      'keeps what another prefix has separate, and rejects one that overlaps',
      withTwo(async (one, _other, _client, service) => {
        const lines = []
        const log = (line) => lines.push(line)
        const shop = createCacheHandlers({ service, prefix: 'shop:', log })
        const overlapping = createCacheHandlers({ service, prefix: 'session:cache:', log })
        await put(one, 'key', 'one', { tags: ['a'] })
        await put(shop, 'key', 'shop', { tags: ['a'] })
        await one.updateTags(['a'])
        assert.equal(await textOf(await shop.get('key', [])), 'shop')
        assert.equal(await overlapping.get('key', []), undefined)
        assert.match(lines.join(), /overlaps/)
        await refuses(overlapping.updateTags(['a']), 'E_INVALID_SETTINGS')
      }),
    )

    test(
      'reads the states of all tags in one script per tick',
      withTwo(async (one, _other, client) => {
        await put(one, 'key', 'value', { tags: ['a'] })
        await one.get('key', [])
        if (engine.kind !== 'redis') return
        await client.sendCommand(['CONFIG', 'RESETSTAT'])
        const found = await Promise.all(Array.from({ length: 20 }, () => one.get('key', ['b'])))
        assert.equal(await textOf(found[19]), 'value')
        assert.match(await client.sendCommand(['INFO', 'commandstats']), /cmdstat_eval:calls=1,/)
      }),
    )

    test(
      'works whatever the clock of the store shows',
      withTwo(async (one, other, _client, service) => {
        if (!engine.advance) return
        await one.get('key', [])
        await engine.advance(service, 3_600_000)
        await put(one, 'key', 'value', { tags: ['a'] })
        const entry = await other.get('key', [])
        assert.ok(Math.abs(entry.timestamp - now()) < 1000)
        await other.updateTags(['a'])
        assert.equal(await one.get('key', []), undefined)
        await put(one, 'key', 'new', { tags: ['a'] })
        assert.equal(await textOf(await other.get('key', [])), 'new')
      }),
    )

    // The clock of a server cannot be moved, so there the time has to pass.
    async function passed(service, ms) {
      if (engine.advance) await engine.advance(service, ms)
      else await new Promise((resolve) => setTimeout(resolve, ms))
    }
  })
}

// Two processes whose clocks are an hour apart, both ways.
for (const hours of [1, -1]) {
  test(`instances understand each other although the clock of one is ${hours} h ahead`, async () => {
    const [, redis] = engines
    const service = await redis.makeService()
    const one = createCacheHandlers({ service })
    const child = (body) =>
      runJson(
        `Object.defineProperty(performance, 'timeOrigin', { value: performance.timeOrigin + ${hours * 3_600_000} })
        const { createCacheHandlers } = await import('cinnabar/next/cache-handlers')
        // A new process on a busy machine connects slowly, which is not what is tested.
        const handlers = createCacheHandlers({ timeoutMs: 20_000 })
        const { now, put, textOf } = await import('./__test__/support/next-cache.mjs')
        ${body}`,
        { env: redis.env() },
      )
    try {
      await child(`await put(handlers, 'theirs', 'value', { tags: ['a'] }); console.log(1)`)
      const theirs = await one.get('theirs', [])
      assert.equal(await textOf(theirs), 'value')
      assert.ok(theirs.timestamp <= now() && theirs.timestamp > now() - 30_000)
      await put(one, 'ours', 'value', { tags: ['b'] })
      const age = await child(`
        const ours = await handlers.get('ours', [])
        await handlers.updateTags(['a', 'b'])
        console.log(JSON.stringify([await textOf(ours), now() - ours.timestamp]))`)
      assert.equal(age[0], 'value')
      assert.ok(age[1] >= 0 && age[1] < 30_000, String(age[1]))
      assert.equal(await one.get('theirs', []), undefined)
      assert.equal(await one.get('ours', []), undefined)
      await put(one, 'ours', 'new', { tags: ['b'] })
      assert.equal(await child(`console.log(JSON.stringify(await textOf(await handlers.get('ours', []))))`), 'new')
    } finally {
      await service.disconnect()
    }
  })
}

test('the module is a handler itself, on the default service, and connects at the first call only', async () => {
  assert.equal(handlers.default, handlers)
  assert.equal(handlers.createCacheHandlers, createCacheHandlers)
  for (const name of ['get', 'set', 'refreshTags', 'getExpiration', 'updateTags'])
    assert.equal(typeof handlers[name], 'function')
  const states = await runJson(
    `import { redisService } from 'cinnabar'
    import handlers from 'cinnabar/next/cache-handlers'
    import 'cinnabar/next/cache-handler'
    const states = [redisService.isConnected]
    await handlers.get('key', [])
    console.log(JSON.stringify([...states, redisService.isConnected]))`,
    { env: engines[1].env() },
  )
  assert.deepEqual(states, [false, true])
})

test('in an edge function it loads, caches nothing, and rejects invalidations with the reason', async () => {
  const source = `
    import handlers from 'cinnabar/next/cache-handlers'
    import Handler from 'cinnabar/next/cache-handler'
    const handler = new Handler({})
    await handlers.set('key', Promise.resolve({}))
    await handler.set('/page', {}, {})
    const found = [await handlers.get('key', []), await handler.get('/page', {}), await handlers.getExpiration(['a'])]
    const calls = [handlers.updateTags(['a']), handlers.expireTags('a'), handler.revalidateTag('a')]
    const errors = (await Promise.allSettled(calls)).map(({ reason }) => String(reason))
    console.log(JSON.stringify([found, errors]))`
  const args = ['--conditions=edge-light', '--input-type=module', '-e', source]
  const { status, out, err } = await runNode(args)
  assert.equal(status, 0, err)
  const [found, errors] = JSON.parse(out)
  assert.deepEqual(found, [null, null, 0])
  for (const error of errors) assert.match(error, /cinnabar\/next.*edge runtime/)
})

test('options are checked when the handler is created', async () => {
  for (const options of [
    null,
    { prefx: 'a' },
    { service: {} },
    { prefix: '' },
    { prefix: 'a{b}' },
    { prefix: 1 },
    { prefix: 'x'.repeat(65) },
    { timeoutMs: 0 },
    { tagTimeoutMs: NaN },
    { maxAgeSeconds: 59 },
    { maxAgeSeconds: Infinity },
    { maxEntryBytes: 1000.5 },
    { maxEntryBytes: 2 ** 30 },
    { log: true },
    { buildId: 'a' },
  ]) {
    await refuses((async () => createCacheHandlers(options))(), 'E_INVALID_ARGUMENT')
  }
})

test('docs/next-cache.md shows modules that Next.js can load, and the defaults of all options', async () => {
  const page = readFileSync(`${root}/docs/next-cache.md`, 'utf8')
  const modules = [...page.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code]) => code)
  assert.equal(modules.length, 2)
  for (const code of modules) {
    const own = code.replace('export default', 'const own =')
    assert.equal(await runJson(`${own}\nconsole.log(typeof own.stats().hits === 'number')`), true)
  }
  const declared = readFileSync(`${root}/next-cache-handlers.d.ts`, 'utf8')
  const [, options] = /interface NextCacheOptions \{([^]*?)\n {2}\}/.exec(declared)
  const names = [...options.matchAll(/^ {4}(\w+)\?:/gm)].map(([, name]) => name)
  assert.equal(names.length, 7)
  for (const name of names) assert.match(page, new RegExp(`^\\| \`${name}\``, 'm'))
})

async function keysOf(client) {
  const keys = []
  for await (const page of client.scanIterator({ COUNT: 1000 })) keys.push(...page)
  return [...new Set(keys)]
}
