// Takes the same random steps on the cache of a version of Next.js with its own handlers, or with ours, and prints what each returned.
//
//   node steps.mjs <folder with next> own|ours <seed> <steps>

import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import { entryOf, fetchedOf, pageOf, serverFilesOf, textOf } from '../../support/next-cache.mjs'

const [, , packages, which, seed, count] = process.argv
const require = createRequire(join(packages, 'package.json'))
const from = (path) => require(`next/dist/server/${path}`)
const major = Number(require('next/package.json').version.split('.')[0])
from('node-environment-baseline')

const TAGS = ['a', 'b', 'c', 'd']
const SOFT = ['_N_T_/layout', '_N_T_/shop']
const KEYS = ['one', 'two', 'three']

const ours = which === 'ours'
const { createCacheHandler } = require('cinnabar/next/cache-handler')
const { createCacheHandlers } = require('cinnabar/next/cache-handlers')
const { RedisService } = require('cinnabar')
const service = new RedisService({ url: process.env.REDIS_URL })

const useCache = ours ? createCacheHandlers({ service }) : ownHandler()
const Handler = ours ? createCacheHandler({ service }) : undefined
const serverDistDir = serverFilesOf('one')

function ownHandler() {
  if (major >= 16) return from('lib/cache-handlers/default').createDefaultCacheHandler(50 << 20)
  return from('lib/cache-handlers/default.external').default
}

/** The cache of one request. */
function incrementalCache() {
  const { IncrementalCache } = from('lib/incremental-cache')
  const previewProps = { previewModeId: '', previewModeEncryptionKey: '', previewModeSigningKey: '' }
  const manifest = { version: 4, routes: {}, dynamicRoutes: {}, notFoundRoutes: [], preview: previewProps }
  return new IncrementalCache({
    fs: from('lib/node-fs-methods').nodeFs,
    dev: false,
    flushToDisk: true,
    minimalMode: false,
    serverDistDir,
    requestHeaders: {},
    maxMemoryCacheSize: 50 << 20,
    previewProps,
    prerenderManifest: manifest,
    getPrerenderManifest: () => manifest,
    CurCacheHandler: Handler,
  })
}

/** The same numbers for the same seed. */
function randomOf(state) {
  return (most) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * most)
  }
}

const random = randomOf(Number(seed))
const chosen = (list) => list[random(list.length)]
const some = (list) => list.filter(() => random(2))

const page = { route: { kind: 'APP_PAGE', sourceRoute: '/page' }, kind: 'APP_PAGE', isFallback: false }
const stateOf = (found) => (!found || found.isStale === -1 ? 'miss' : found.isStale ? 'stale' : 'fresh')

// As Next.js 16 does it, where it may be stale; tags of a path are not.
const caches = {
  async page(key) {
    const found = await incremental.get(key, page)
    return { state: stateOf(found), value: stateOf(found) === 'miss' ? undefined : found.value.html }
  },
  async fetch(key) {
    const found = await incremental.get(key, {
      kind: 'FETCH',
      tags: TAGS.slice(0, KEYS.indexOf(key) + 1),
      softTags: SOFT,
    })
    return { state: stateOf(found), value: found?.value.data.body }
  },
  async use(key) {
    let found = await useCache.get(key, SOFT)
    const expiration = major >= 16 ? await useCache.getExpiration(SOFT) : await useCache.getExpiration(...SOFT)
    if (found && expiration < Infinity && found.timestamp <= expiration) found = undefined
    const state = !found ? 'miss' : found.revalidate === -1 ? 'stale' : 'fresh'
    return { state, value: found && (await textOf(found)) }
  },
}

const stores = {
  page: (key, value, tags) => {
    const cacheControl = { revalidate: chosen([3600, false]), expire: chosen([undefined, 7200]) }
    return incremental.set(key, pageOf(value, tags), { ...page, cacheControl })
  },
  fetch: (key, value, tags) => incremental.set(key, fetchedOf(value), { fetchCache: true, tags }),
  use: (key, value, tags) => useCache.set(key, Promise.resolve(entryOf(value, { tags }))),
}

async function invalidate(tags, durations) {
  if (major < 16) {
    await useCache.expireTags(...tags)
    return incremental.revalidateTag(tags)
  }
  await useCache.updateTags(tags, durations)
  await incremental.revalidateTag(tags, durations)
}

const steps = []
let incremental
for (let step = 0; step < Number(count); step++) {
  incremental = incrementalCache()
  // Both have milliseconds; what falls into the same one has no order.
  await delay(3)
  const [kind, key, action] = [chosen(Object.keys(caches)), chosen(KEYS), random(10)]
  if (action < 5) steps.push({ step, kind, key, ...(await caches[kind](key)) })
  else if (action < 9) {
    const tags =
      kind === 'fetch' ? TAGS.slice(0, KEYS.indexOf(key) + 1) : kind === 'page' ? [...some(TAGS), ...SOFT] : some(TAGS)
    const before = await caches[kind](key)
    await delay(3)
    await stores[kind](key, `value ${step}`, tags)
    steps.push({ step, kind, key, ...before, stored: tags })
  } else if (random(4) === 0) {
    const tags = [chosen(SOFT)]
    await invalidate(tags)
    steps.push({ step, invalidated: tags })
  } else {
    const tags = [chosen(TAGS)]
    const durations = major >= 16 ? chosen([undefined, { expire: 0 }, { expire: 3600 }, {}]) : undefined
    await invalidate(tags, durations)
    steps.push({ step, invalidated: tags, durations })
  }
}
await service.disconnect()
console.log(JSON.stringify(steps))
