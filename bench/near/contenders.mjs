/** What is compared. Each holds all values; `read(key)` reads one, `run(sequence, from, many)` many, one after the other. */
import { ApiCache, RedisService, SessionManager } from '../../index.js'

const names = []

/** The name of a key, always the same string. */
export const keyOf = (number) => (names[number] ??= `key:${number}`)

const MAX_BYTES = 1 << 30

async function cinnabar({ url, keys, value }, option, run) {
  const service = new RedisService({ url })
  const cache = new ApiCache(service, option)
  for (let at = 0; at < keys; at += 1000) {
    await cache.setMany(Array.from({ length: 1000 }, (_, n) => ({ key: keyOf(at + n), value, ttl: 3600 })))
  }
  return { read: (key) => cache.get(key), run: run(cache), close: () => service.disconnect() }
}

/** The keys are tokens of as many users. */
async function sessions({ url, keys, value }, option, run) {
  const service = new RedisService({ url })
  const manager = new SessionManager(service, option)
  const read = (token) => manager.validateSession(token, { load: () => ({ ...value, id: token }), ttl: 3600 })
  for (let at = 0; at < keys; at += 500) {
    await Promise.all(Array.from({ length: 500 }, (_, n) => read(keyOf(at + n))))
  }
  return { read, run: run(manager), close: () => service.disconnect() }
}

// Every user is stored already.
const stored = { load: () => null }

const near = { near: { maxBytes: MAX_BYTES } }
const strict = { near: { maxBytes: MAX_BYTES, mode: 'strict' } }

export const contenders = {
  'cinnabar, peek': (place) =>
    cinnabar(place, near, (cache) => (sequence, from, many) => {
      for (let at = from; at < from + many; at++) cache.peek(keyOf(sequence[at]))
    }),
  'cinnabar, get, frozen': (place) =>
    cinnabar(place, near, (cache) => async (sequence, from, many) => {
      for (let at = from; at < from + many; at++) await cache.get(keyOf(sequence[at]), { frozen: true })
    }),
  'cinnabar, get': (place) =>
    cinnabar(place, near, (cache) => async (sequence, from, many) => {
      for (let at = from; at < from + many; at++) await cache.get(keyOf(sequence[at]))
    }),
  'cinnabar, strict, 64 in flight': (place) =>
    cinnabar(place, strict, (cache) => (sequence, from, many) => inFlight(cache, sequence, from, many)),
  'cinnabar without near, 64 in flight': (place) =>
    cinnabar(place, {}, (cache) => (sequence, from, many) => inFlight(cache, sequence, from, many)),
  'cinnabar, validateSession': (place) =>
    sessions(place, near, (manager) => async (sequence, from, many) => {
      for (let at = from; at < from + many; at++) await manager.validateSession(keyOf(sequence[at]), stored)
    }),
  'cinnabar, validateSession without near, 64 in flight': (place) =>
    sessions(place, {}, (manager) => async (sequence, from, many) => {
      for (let at = from; at < from + many; at += 64) {
        await Promise.all(
          Array.from({ length: 64 }, (_, n) => manager.validateSession(keyOf(sequence[at + n]), stored)),
        )
      }
    }),
  async 'node-redis, client-side cache'({ url }) {
    const { createClient } = await import('redis')
    // With LRU it does a fifth of this with so many keys.
    const client = createClient({ url, RESP: 3, clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'FIFO' } })
    client.on('error', () => {})
    await client.connect()
    const read = async (key) => JSON.parse(await client.get(`api:${key}`))
    const run = async (sequence, from, many) => {
      for (let at = from; at < from + many; at++) await read(keyOf(sequence[at]))
    }
    return { read, run, close: () => client.close() }
  },
  async 'bentocache, memory over Redis'({ url, keys, value }) {
    const [{ BentoCache, bentostore }, { memoryDriver }, { redisBusDriver, redisDriver }] = await Promise.all([
      import('bentocache'),
      import('bentocache/drivers/memory'),
      import('bentocache/drivers/redis'),
    ])
    const { hostname: host, port } = new URL(url)
    const connection = { host, port: Number(port) }
    const store = bentostore()
      .useL1Layer(memoryDriver({ maxItems: keys * 2 }))
      .useL2Layer(redisDriver({ connection }))
      .useBus(redisBusDriver({ connection }))
    const bento = new BentoCache({ default: 'tiers', stores: { tiers: store } })
    for (let at = 0; at < keys; at += 500) {
      await Promise.all(Array.from({ length: 500 }, (_, n) => bento.set({ key: keyOf(at + n), value, ttl: '1h' })))
    }
    const read = (key) => bento.get({ key })
    const run = async (sequence, from, many) => {
      for (let at = from; at < from + many; at++) await read(keyOf(sequence[at]))
    }
    return { read, run, close: () => bento.disconnectAll() }
  },
}

async function inFlight(cache, sequence, from, many) {
  for (let at = from; at < from + many; at += 64) {
    await Promise.all(Array.from({ length: 64 }, (_, n) => cache.get(keyOf(sequence[at + n]))))
  }
}
