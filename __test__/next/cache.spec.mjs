// The cache handlers in real builds of Next.js 15 and 16: two instances behind a proxy, on one server.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { cpSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { root } from '../../scripts/run.mjs'
import { until } from '../helpers.mjs'
import { installPackage } from '../runtimes/installed.mjs'
import { temporaryFolder } from '../support/processes.mjs'
import { startRedis } from '../support/redis.mjs'
import * as next from './cache/support.mjs'

const { ask, invalidate, RENDER_MS, show, TIMEOUT_MS } = next
const packages15 = fileURLToPath(new URL('.', import.meta.url))
const packages16 = join(root, 'examples/next')
const IMAGE = '/_next/image?url=%2Fpicture.png&w=64&q=75'
const names = ['a', 'b']

let redis, upstream, env
before(async () => {
  redis = await startRedis()
  upstream = await next.startUpstream()
  env = { REDIS_URL: redis.url, UPSTREAM: upstream.url }
  const installed = await installPackage()
  for (const packages of [packages15, packages16]) {
    cpSync(join(installed, 'node_modules'), join(packages, 'node_modules'), { recursive: true })
  }
})
after(() => upstream.close())

for (const [version, packages] of [
  ['Next.js 15', packages15],
  ['Next.js 16', packages16],
]) {
  describe(`pages, routes and fetches of ${version}`, () => {
    let app, servers, one, other
    before(async () => {
      await redis.command('FLUSHALL')
      upstream.counts.clear()
      app = next.copyApp('incremental', packages)
      const printed = await next.build(app, 'one', { REDIS_URL: 'redis://127.0.0.1:1' })
      assert.ok(printed.match(/does without its server/g)?.length >= 1, printed)
      servers = await next.start(app, names, env)
      ;[one, other] = servers.instances
    })
    after(async () => {
      await servers?.stop()
      app.remove()
    })

    it('has them bundled with a proxy, whose runtime may be the edge', async () => {
      assert.equal(next.versionOf(packages), packages === packages16 ? 16 : 15)
      assert.equal((await ask(servers.url + '/built')).headers.get('x-proxy'), 'function')
    })

    for (const path of ['/built', '/page/shared', '/use/shared', '/unstable/shared', '/legacy/shared']) {
      it(`renders ${path} once for all instances`, async () => {
        const shown = []
        for (let i = 0; i < 6; i++) shown.push(await show(servers.url + path))
        assert.equal(new Set(shown.map(({ id }) => id)).size, 1, JSON.stringify(shown))
        if (path === '/page/shared') assert.equal(upstream.counts.get('/shared'), 1)
        if (path === '/use/shared') assert.ok(shown.every(({ whole }) => whole))
        if (path === '/page/shared') {
          for (const { url } of servers.instances) {
            assert.match((await ask(url + path)).headers.get('cache-control'), /^s-maxage=3600\b/)
          }
        }
      })
    }

    it('returns the bytes of a route, redirects and missing pages from another instance', async () => {
      const files = []
      for (let i = 0; i < 4; i++) files.push(await ask(`${servers.url}/file/bytes`))
      for (const { bytes, headers } of files) {
        assert.equal(bytes.length, 300_000)
        assert.equal(createHash('sha256').update(bytes).digest('hex'), files[0].headers.get('x-hash'))
        assert.equal(headers.get('x-hash'), files[0].headers.get('x-hash'))
      }
      for (const [path, status] of [
        ['/legacy/missing', 404],
        ['/legacy/moved', 307],
      ]) {
        for (const [at, expected] of ['MISS', 'HIT', 'HIT'].entries()) {
          const { status: got, headers } = await ask(servers.url + path)
          assert.deepEqual([got, headers.get('x-nextjs-cache')], [status, expected], `${path} ${at}`)
        }
      }
    })

    if (packages === packages16) {
      it('keeps images', async () => {
        const found = []
        for (let i = 0; i < 4; i++) found.push(await ask(servers.url + IMAGE))
        assert.deepEqual(
          found.map(({ headers }) => headers.get('x-nextjs-cache')),
          ['MISS', 'HIT', 'HIT', 'HIT'],
        )
        for (const { bytes } of found) assert.deepEqual(bytes, found[0].bytes)
      })
    }

    for (const [tag, path] of [
      ['data-tag', '/page/tag'],
      ['use-tag', '/use/tag'],
      ['unstable-tag', '/unstable/tag'],
      ['built', '/built'],
    ]) {
      it(`shows that ${tag} was invalidated at the other instance within 100 ms`, async () => {
        const delays = []
        for (let i = 0; i < 10; i++) {
          const { id } = await show(one.url + path)
          assert.equal((await show(other.url + path)).id, id)
          await invalidate(i % 2 ? one : other, { tag })
          delays.push(await seen((i % 2 ? other : one).url + path, id))
          assert.equal((await show(one.url + path)).id, (await show(other.url + path)).id)
        }
        assert.ok(Math.max(...delays) <= 100, delays.join())
      })
    }

    it('invalidates a path, and what an action says, at the other instance', async () => {
      for (const [change, path] of [
        [() => invalidate(one, { path: '/file/path' }), '/file/path'],
        [() => invalidate(one, { path: '/use/path' }), '/use/path'],
        [() => next.act(one, 'use-act'), '/use/act'],
        [() => next.act(one, 'data-act'), '/page/act'],
      ]) {
        const idOf = async ({ url }) => {
          const { headers, value } = await ask(url + path)
          return headers.get('x-hash') ?? value.id
        }
        const id = await idOf(one)
        assert.equal(await idOf(other), id)
        const { status } = await change()
        assert.ok(status < 400, String(status))
        await until('it is new', async () => (await idOf(other)) !== id, 1)
        assert.equal(await idOf(one), await idOf(other))
      }
    })

    if (packages === packages16) {
      it('serves what a profile made stale, and replaces it meanwhile', async () => {
        for (const [tag, path] of [
          ['data-swr', '/page/swr'],
          ['use-swr', '/use/swr'],
          ['unstable-swr', '/unstable/swr'],
        ]) {
          const { id } = await show(one.url + path)
          await invalidate(one, { tag, profile: 'max' })
          // The instance whose request finds it stale gets the old one.
          const shown = [(await show(other.url + path)).id]
          await until('it is new', async () => shown.push((await show(other.url + path)).id) && shown.at(-1) !== id)
          assert.equal(shown[0], id)
          assert.equal((await show(one.url + path)).id, shown.at(-1))
        }
      })
    }

    it('has draft mode read and change nothing', async () => {
      const headers = { cookie: await next.draftCookie(one) }
      for (const path of ['/page/draft', '/use/draft']) {
        const { id } = await show(one.url + path)
        const [first, second] = [await show(one.url + path, { headers }), await show(one.url + path, { headers })]
        assert.equal(new Set([id, first.id, second.id]).size, 3)
        for (const { url } of servers.instances) assert.equal((await show(url + path)).id, id)
      }
    })

    it('keeps builds separate, and serves what was built until it is invalidated', async () => {
      const copy = next.copyApp('incremental', packages)
      let second
      try {
        const standalone = packages === packages16
        // With the server, which knows from now on what was invalidated after the build.
        await next.build(copy, 'two', { ...env, ...(standalone && { OUTPUT: 'standalone' }) })
        second = standalone ? await startStandalone(copy) : await next.start(copy, ['c'], env)
        const [{ url }] = second.instances
        assert.deepEqual([(await show(`${url}/built`)).instance, (await show(`${url}/built`)).build], ['build', 'two'])
        for (const path of ['/built', '/page/builds', '/use/builds']) {
          for (let i = 0; i < 2; i++) {
            assert.equal((await show(one.url + path)).build, 'one', path)
            assert.equal((await show(url + path)).build, 'two', path)
          }
        }
        // Both read the data of one fetch.
        assert.equal(upstream.counts.get('/builds'), 1)
        await invalidate(one, { tag: 'built' })
        await until('it is new', async () => (await show(`${url}/built`)).instance === 'c', 1)
      } finally {
        await second?.stop()
        copy.remove()
      }
    })

    it('serves pages while the server hangs and while it is down, and caches them afterwards', async () => {
      const paths = ['/built', '/page/out', '/file/out', '/use/out', '/unstable/out', '/legacy/out', IMAGE]
      for (const path of paths) await ask(servers.url + path)
      for (const [begin, end] of [
        [() => redis.pause(), () => redis.resume()],
        [() => redis.kill(), () => redis.start()],
      ]) {
        const times = []
        await begin()
        try {
          for (let round = 0; round < 2; round++) {
            const asked = paths.flatMap((path) => servers.instances.map(({ url }) => ask(url + path)))
            for (const { status, ms } of await Promise.all(asked)) {
              assert.equal(status, 200)
              times.push(ms)
            }
            for (const path of paths) {
              const { status, ms } = await ask(servers.url + path)
              assert.equal(status, 200)
              times.push(ms)
            }
          }
        } finally {
          await end()
        }
        // Fourteen pages at once take longer to render than one.
        assert.ok(Math.max(...times) < TIMEOUT_MS + 4 * RENDER_MS, times.map(Math.round).join())
        assert.ok(times.slice(14).every((ms) => ms < TIMEOUT_MS + 4 * RENDER_MS))
        for (const path of ['/page/out', '/use/out']) {
          await until(`${path} is cached`, async () => {
            const [a, b] = [await show(one.url + path), await show(other.url + path)]
            return a.id === b.id
          })
        }
      }
      for (const instance of servers.instances) {
        assert.equal(instance.log().match(/does without its server/g).length, 2, instance.log())
        assert.equal(instance.log().match(/has its server again/g).length, 2, instance.log())
      }
    })
  })
}

describe('Cache Components of Next.js 16', () => {
  let app, servers, one, other
  before(async () => {
    await redis.command('FLUSHALL')
    app = next.copyApp('components', packages16)
    await next.build(app, 'one', env)
    servers = await next.start(app, names, env)
    ;[one, other] = servers.instances
  })
  after(async () => {
    await servers?.stop()
    app.remove()
  })

  for (const [tag, path] of [
    ['shell-new', '/shell/new'],
    ['shell-built', '/shell/built'],
    ['remote', '/remote'],
  ]) {
    it(`renders ${path} once, shows at once that ${tag} was invalidated, and replaces it when stale`, async () => {
      const shown = []
      for (let i = 0; i < 6; i++) shown.push((await show(servers.url + path)).id)
      assert.equal(new Set(shown).size, 1, shown.join())
      const delays = []
      // As fast as it gets, so that pages are being made while their tags are invalidated.
      for (let i = 0; i < 50; i++) {
        const { id } = await show(other.url + path)
        await invalidate(one, { tag })
        delays.push(await seen(other.url + path, id))
      }
      assert.ok(Math.max(...delays) <= 100, delays.join())
      const { id } = await show(other.url + path)
      assert.ok((await next.act(one, tag)).status < 400)
      assert.notEqual((await show(other.url + path)).id, id)
      const old = (await show(one.url + path)).id
      await invalidate(one, { tag, profile: 'max' })
      const later = [(await show(other.url + path)).id]
      await until('it is new', async () => later.push((await show(other.url + path)).id) && later.at(-1) !== old)
      assert.equal(later[0], old)
      assert.equal((await show(one.url + path)).id, later.at(-1))
    })
  }

  it('has draft mode read and change nothing', async () => {
    const headers = { cookie: await next.draftCookie(one) }
    const { id } = await show(`${one.url}/shell/draft`)
    const drafts = [
      await show(`${one.url}/shell/draft`, { headers }),
      await show(`${one.url}/shell/draft`, { headers }),
    ]
    assert.deepEqual(
      drafts.map(({ draft }) => draft),
      [true, true],
    )
    assert.equal(new Set([id, ...drafts.map((each) => each.id)]).size, 3)
    for (const { url } of servers.instances) assert.equal((await show(`${url}/shell/draft`)).id, id)
  })

  it('serves pages while the server hangs', async () => {
    redis.pause()
    try {
      const times = []
      for (let round = 0; round < 3; round++) {
        for (const path of ['/shell/new', '/shell/built', '/remote', '/shell/other']) {
          const { status, value, ms } = await ask(servers.url + path)
          assert.deepEqual([status, value.build], [200, 'one'])
          times.push(ms)
        }
      }
      assert.ok(Math.max(...times) < TIMEOUT_MS + RENDER_MS, times.map(Math.round).join())
      // Only the first page of each instance waits.
      assert.ok(
        times.slice(2).every((ms) => ms < RENDER_MS),
        times.map(Math.round).join(),
      )
      // An action that has not invalidated its tag fails in time. A route has responded when Next.js invalidates, and logs the error.
      const started = performance.now()
      assert.equal((await next.act(one, 'remote')).status, 500)
      assert.ok(performance.now() - started < 2000 + RENDER_MS)
      assert.equal((await invalidate(other, { tag: 'remote' })).status, 200)
      await until('it is logged', () => /⨯|CinnabarError/.test(other.log()))
    } finally {
      redis.resume()
    }
  })
})

/** How many ms after now the last request began whose response is still the page with this id. */
async function seen(url, id) {
  const from = performance.now()
  for (let last = 0; ;) {
    const at = performance.now() - from
    if ((await show(url)).id !== id) return last
    assert.ok(at < 5000, 'it is still the old one')
    last = at
  }
}

/** What a build has left for a server without `node_modules`. */
async function startStandalone(app) {
  const folder = temporaryFolder('standalone')
  cpSync(join(app.folder, '.next/standalone'), folder, { recursive: true })
  const name = app.folder.split('/').at(-1)
  return next.start({ ...app, folder: join(folder, name) }, ['c'], env, join(folder, name, 'server.js'))
}
