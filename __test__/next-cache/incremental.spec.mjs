// The handler for pages, routes, fetch and images, called as Next.js does, by two instances on one store.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'

import Handler, { createCacheHandler } from 'cinnabar/next/cache-handler'
import { createCacheHandlers } from 'cinnabar/next/cache-handlers'

import { deferred, rawClient, refuses } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { beginTags, entryOf, fetchedOf, now, pageOf, serverFilesOf } from '../support/next-cache.mjs'

const PAGE = { kind: 'APP_PAGE', isFallback: false }
const FETCH = { kind: 'FETCH', tags: ['a'], softTags: ['_N_T_/shop'] }
const toFetch = { fetchCache: true, tags: ['a'] }
const lifetime = (revalidate, expire) => ({ cacheControl: { revalidate, expire } })

for (const engine of engines) {
  describe(`pages and fetches on ${engine.name}`, () => {
    const withTwo =
      (run, { serverDistDir = serverFilesOf('one'), ...options } = {}) =>
      async () => {
        const service = await engine.makeService()
        const beside = engine.beside(service)
        const make = (each, dist = serverDistDir, more) =>
          new (createCacheHandler({ service: each, ...options, ...more }))({ serverDistDir: dist, revalidatedTags: [] })
        try {
          const [one, other] = [make(service), make(beside)]
          const client = await rawClient(service)
          await beginTags(client, options.prefix)
          await run(one, other, client, (...args) => make(service, ...args), service)
        } finally {
          await Promise.all([service.disconnect(), beside.disconnect()])
        }
      }

    /** Reads and then stores, as Next.js does. */
    async function put(handler, key, value, context, get = PAGE) {
      await handler.get(key, get)
      await handler.set(key, value, context)
    }

    test(
      'returns every kind of value as it was, to all instances',
      withTwo(async (one, other) => {
        const bytes = randomBytes(100_000)
        for (const [value, get, set] of [
          [
            pageOf('<p>ü</p>'.repeat(1000), ['a']),
            PAGE,
            { kind: 'APP_PAGE', isFallback: false, ...lifetime(900, 3600) },
          ],
          [
            { ...pageOf(''), rscData: undefined, segmentData: undefined, postponed: 'p'.repeat(999) },
            PAGE,
            lifetime(false),
          ],
          [{ ...pageOf('<p>\ud800</p>'.repeat(100)), segmentData: new Map() }, PAGE, lifetime(1)],
          [
            { kind: 'APP_ROUTE', body: bytes, status: 201, headers: { a: 'b' } },
            { kind: 'APP_ROUTE' },
            lifetime(60, 600),
          ],
          [
            { kind: 'PAGES', html: 'h', pageData: { pageProps: { a: [1, null] } }, headers: undefined, status: 200 },
            { kind: 'PAGES' },
            lifetime(60),
          ],
          [{ kind: 'REDIRECT', props: { pageProps: { __N_REDIRECT: '/there' } } }, { kind: 'PAGES' }, lifetime(60)],
          [null, { kind: 'PAGES' }, lifetime(60)],
          [
            { kind: 'IMAGE', etag: 'e', upstreamEtag: 'u', buffer: bytes, extension: 'webp', revalidate: 60 },
            { kind: 'IMAGE', isFallback: false },
            { kind: 'IMAGE', ...lifetime(60) },
          ],
          [fetchedOf(bytes.toString('base64')), FETCH, toFetch],
          [fetchedOf(JSON.stringify({ of: 'unstable_cache'.repeat(100) })), FETCH, toFetch],
          [fetchedOf('short'), FETCH, toFetch],
          [fetchedOf('a'.repeat(300) + '\ud800'), FETCH, toFetch],
        ]) {
          const key = `/${value?.kind} ${Math.random()}`
          assert.equal(await one.get(key, get), null)
          const before = now()
          await one.set(key, value, set)
          for (const handler of [one, other]) {
            const found = await handler.get(key, get)
            assert.deepEqual(found.value, plain(value))
            assert.deepEqual(found.cacheControl, set.cacheControl && plain(set.cacheControl))
            assert.ok(found.lastModified > before - 1000 && found.lastModified <= now(), 'lastModified')
          }
        }
      }),
    )

    test(
      'returns null at once after any instance has invalidated a tag',
      withTwo(async (one, other) => {
        await put(one, '/page', pageOf('page', ['a', '_N_T_/page']), lifetime(900))
        await put(one, 'fetch', fetchedOf('data', { tags: ['c'] }), toFetch, FETCH)
        for (const tags of ['unknown', []]) await other.revalidateTag(tags)
        assert.equal((await one.get('/page', PAGE)).value.html, 'page')
        assert.equal((await one.get('fetch', FETCH)).value.data.body, 'data')
        for (const tag of ['a', '_N_T_/page']) {
          await other.revalidateTag(['x', tag])
          assert.equal(await one.get('/page', PAGE), null, tag)
          await put(one, '/page', pageOf('page', ['a', '_N_T_/page']), lifetime(900))
          assert.equal((await other.get('/page', PAGE)).value.html, 'page')
        }
        // Of the call that reads, of the path, and of the call that stored it.
        for (const tag of ['a', '_N_T_/shop', 'c']) {
          await put(one, 'fetch', fetchedOf('data', { tags: ['c'] }), toFetch, FETCH)
          await other.revalidateTag(tag)
          assert.equal(await one.get('fetch', FETCH), null, tag)
        }
      }),
    )

    test(
      'has Next.js replace what became stale, and serve it meanwhile',
      withTwo(async (one, other) => {
        for (const [revalidate, expire] of [
          [900, 3600],
          [1, undefined],
          [false, undefined],
        ]) {
          await put(one, '/page', pageOf('page', ['a']), lifetime(revalidate, expire))
          const fresh = await other.get('/page', PAGE)
          assert.ok(fresh.cacheControl.revalidate === false || ageOf(fresh) < 1)
          await other.revalidateTag(['a'], { expire: 3600 })
          const stale = await one.get('/page', PAGE)
          assert.equal(stale.value.html, 'page')
          assert.ok(ageOf(stale) > stale.cacheControl.revalidate, String(revalidate))
          assert.ok(!(ageOf(stale) > stale.cacheControl.expire))
        }
        await put(one, 'fetch', fetchedOf('data'), toFetch, FETCH)
        await other.revalidateTag(['a'], { expire: 3600 })
        assert.ok(ageOf(await one.get('fetch', FETCH)) > 900)
        assert.ok(ageOf(await one.get('fetch', { ...FETCH, revalidate: 5000 })) > 5000)
        await other.revalidateTag(['a'], { expire: 0 })
        assert.equal(await one.get('fetch', FETCH), null)
        assert.equal(await one.get('/page', PAGE), null)
      }),
    )

    test(
      'does not serve what was begun before an invalidation and stored after it',
      withTwo(async (one, other) => {
        assert.equal(await one.get('/page', PAGE), null)
        assert.equal(await one.get('fetch', FETCH), null)
        await other.revalidateTag(['a'])
        await one.set('/page', pageOf('old', ['a']), lifetime(900))
        await one.set('fetch', fetchedOf('old'), toFetch)
        assert.equal(await one.get('/page', PAGE), null)
        assert.equal(await one.get('fetch', FETCH), null)
        await one.set('/page', pageOf('new', ['a']), lifetime(900))
        assert.equal((await other.get('/page', PAGE)).value.html, 'new')
        // One that is replaced.
        await other.revalidateTag(['a'], {})
        assert.ok(ageOf(await one.get('/page', PAGE)) > 900)
        await other.revalidateTag(['a'])
        await one.set('/page', pageOf('newer', ['a']), lifetime(900))
        assert.equal(await one.get('/page', PAGE), null)
      }),
    )

    test(
      'does not serve what a request that began before an invalidation has made without reading it',
      withTwo(async (one, other, _client, make) => {
        await put(one, '/page', pageOf('page', ['a']), lifetime(900))
        const request = make()
        assert.equal((await request.get('/page', PAGE)).value.html, 'page')
        await other.revalidateTag(['a'])
        await request.set('/page', pageOf('old', ['a']), lifetime(900))
        await request.set('fetch', fetchedOf('old'), toFetch)
        assert.equal(await other.get('/page', PAGE), null)
        assert.equal(await other.get('fetch', FETCH), null)
        await put(make(), '/page', pageOf('new', ['a']), lifetime(900))
        assert.equal((await other.get('/page', PAGE)).value.html, 'new')
      }),
    )

    test(
      "does not serve a page with the result of 'use cache' that another request began before an invalidation",
      withTwo(async (_one, other, _client, make, service) => {
        const handlers = createCacheHandlers({ service })
        for (const [invalidated, expected] of [
          ['b', 'page'],
          ['a', undefined],
        ]) {
          const { promise, resolve } = deferred()
          assert.equal(await handlers.get('key', []), undefined)
          const begun = entryOf('before', { tags: ['a'] })
          const stored = handlers.set('key', promise)
          await other.revalidateTag([invalidated])
          const request = make()
          const reading = request.get('/page', PAGE)
          await new Promise((r) => setImmediate(r))
          for (const end = now() + 20; now() < end;);
          assert.equal(await reading, null)
          await handlers.set('short', Promise.resolve(entryOf('begun and ended meanwhile')))
          // Next.js lets this request join the generation, whose result ends up in the page.
          resolve(begun)
          await stored
          await request.set('/page', pageOf('page', ['a']), lifetime(900))
          assert.equal((await other.get('/page', PAGE))?.value.html, expected)
          await other.revalidateTag(['a'])
        }
      }),
    )

    test(
      'keeps pages and images of builds separate, and shares fetches',
      withTwo(async (one, _other, _client, make) => {
        const next = make(serverFilesOf('two'))
        const image = { kind: 'IMAGE', etag: 'e', upstreamEtag: 'u', buffer: Buffer.from('one'), extension: 'png' }
        await put(one, '/page', pageOf('one'), lifetime(900))
        await put(one, 'image', image, { kind: 'IMAGE', ...lifetime(60) }, { kind: 'IMAGE' })
        await put(one, 'fetch', fetchedOf('one'), toFetch, FETCH)
        assert.equal(await next.get('/page', PAGE), null)
        assert.equal(await next.get('image', { kind: 'IMAGE' }), null)
        assert.equal((await next.get('fetch', FETCH)).value.data.body, 'one')
        await put(next, '/page', pageOf('two'), lifetime(900))
        assert.equal((await one.get('/page', PAGE)).value.html, 'one')
        assert.equal((await make('nowhere', { buildId: 'two' }).get('/page', PAGE)).value.html, 'two')
        for (const id of ['..', 'a b', '{tags}', 'ü', 'x'.repeat(1000)]) {
          const odd = make(serverFilesOf(id))
          await put(odd, '/page', pageOf(id), lifetime(900))
          assert.equal((await odd.get('/page', PAGE)).value.html, id)
        }
        assert.equal((await one.get('/page', PAGE)).value.html, 'one')
      }),
    )

    test(
      'has no pages without a build, nor while it is built, but fetches',
      withTwo(async (one, _other, client, make) => {
        assert.equal(await one.get('fetch', FETCH), null)
        const nowhere = make('nowhere')
        const during = make()
        for (const [handler, phase] of [
          [nowhere, undefined],
          [during, 'phase-production-build'],
        ]) {
          if (phase) process.env.NEXT_PHASE = phase
          try {
            await put(handler, '/page', pageOf('page'), lifetime(900))
            assert.equal(await handler.get('/page', PAGE), null)
            await put(handler, 'fetch', fetchedOf('data'), { ...toFetch, isImplicitBuildTimeCache: true }, FETCH)
            assert.equal((await handler.get('fetch', FETCH)).value.data.body, 'data')
          } finally {
            delete process.env.NEXT_PHASE
          }
        }
        const [key] = (await client.scan('0', { MATCH: 'next:fetch:*', COUNT: 1000 })).keys
        assert.ok((await client.ttl(key)) <= 3600)
      }),
    )

    test(
      'gives every key a ttl: until it expires, at most maxAgeSeconds',
      withTwo(
        async (one, _other, client) => {
          await put(one, '/page', pageOf('page', ['a']), lifetime(60, 600))
          await put(one, '/forever', pageOf('page', ['a']), lifetime(false, undefined))
          await put(one, '/never', pageOf('page', ['a']), lifetime(60, 0))
          await put(one, 'fetch', fetchedOf('data'), toFetch, FETCH)
          await one.revalidateTag('a')
          const ttls = {}
          for await (const keys of client.scanIterator({ COUNT: 1000 })) {
            for (const key of keys) (ttls[key.split(':').slice(1, -1).join(':')] ??= []).push(await client.ttl(key))
          }
          assert.deepEqual(Object.keys(ttls).sort(), ['', 'fetch', 'page:one', '{tags}'])
          const [short, long, ...more] = ttls['page:one'].sort((a, b) => a - b)
          assert.equal(more.length, 0)
          assert.ok(short > 590 && short <= 600 && long > 7100 && long <= 7200, `${short} ${long}`)
          assert.ok(ttls.fetch[0] > 7100 && ttls.fetch[0] <= 7200)
          for (const [ttl] of [ttls[''], ttls['{tags}']]) assert.ok(ttl > 7200)
        },
        { maxAgeSeconds: 7200 },
      ),
    )

    test(
      'stores nothing that would come back as something else, or is too large',
      withTwo(
        async (one, other, _client, make) => {
          const lines = []
          const own = make(undefined, { log: (line) => lines.push(line) })
          const value = { ...pageOf('page'), headers: { nested: Buffer.from('bytes') } }
          await put(own, '/odd', pageOf('even'), lifetime(900))
          await put(own, '/odd', value, lifetime(900))
          assert.equal(await other.get('/odd', PAGE), null)
          await put(own, '/odd', { ...value, headers: { nested: new Map() } }, lifetime(900))
          assert.equal(await other.get('/odd', PAGE), null)
          assert.match(lines.join('\n'), /^cinnabar: .*cannot be stored$/)
          await put(one, '/large', pageOf('small'), lifetime(900))
          assert.equal((await other.get('/large', PAGE)).value.html, 'small')
          await put(one, '/large', pageOf('x'.repeat(5000)), lifetime(900))
          assert.equal(await other.get('/large', PAGE), null)
        },
        { maxEntryBytes: 4096 },
      ),
    )

    test(
      'returns null for a tag that the request before has invalidated',
      withTwo(async (one, _other, _client, _make, service) => {
        await put(one, 'fetch', fetchedOf('data'), toFetch, FETCH)
        const Class = createCacheHandler({ service })
        const after = new Class({ serverDistDir: 'nowhere', revalidatedTags: ['_N_T_/shop'] })
        assert.equal(await after.get('fetch', FETCH), null)
        assert.equal((await one.get('fetch', FETCH)).value.data.body, 'data')
        assert.deepEqual([one.resetRequestCache(), Class.stats().hits], [undefined, 0])
      }),
    )
  })
}

test('the module is a handler itself, and options are checked when one is created', async () => {
  assert.equal(Handler.default, Handler)
  assert.equal(Handler.createCacheHandler, createCacheHandler)
  assert.equal(typeof new Handler({}).get, 'function')
  assert.deepEqual(Object.keys(Handler.stats()), ['hits', 'misses', 'stored', 'tooLarge', 'failures', 'outages'])
  for (const options of [{ buildid: 'a' }, { buildId: '' }, { buildId: 1 }, { prefix: 'a b' }]) {
    await refuses((async () => createCacheHandler(options))(), 'E_INVALID_ARGUMENT')
  }
})

/** How old Next.js takes an entry for, in seconds. */
const ageOf = ({ lastModified }) => (now() - lastModified) / 1000

/** Without fields that are `undefined`, which need not come back. */
function plain(value) {
  if (value === null) return null
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined))
}
