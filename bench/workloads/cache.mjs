/** JSON values of a given size and shape, spread over many keys, read and written. */
import { makeValue } from './values.mjs'

const TTL_SECONDS = 3600
const READERS = ['cinnabar', 'cinnabar-raw', 'ioredis', 'ioredis-auto', 'node-redis', 'glide']
const names = (size) => Array.from({ length: keyCount(size) }, (_, n) => `bench:${n}`)

/** Fewer keys for large values: the set of all values stays near 20 MB at most. */
const keyCount = (size) => Math.min(1000, Math.max(100, Math.floor(20_000_000 / size)))

export const get = {
  name: 'get',
  title: 'Cache get',
  baseline: 'ioredis',
  contenders: READERS,
  seed: ({ size, shape }) =>
    names(size).map((name, n) => ['SET', `api:${name}`, JSON.stringify(makeValue(n, size, shape)), 'EX', '86400']),
  async prepare(client, { size }) {
    const keys = names(size).map(client.cacheKey)
    for (const n of [0, keys.length - 1]) {
      const value = await client.getJson(keys[n])
      if (value?.id !== n) throw new Error(`read ${JSON.stringify(value)?.slice(0, 80)} for value ${n}`)
    }
    return (i) => client.getJson(keys[i % keys.length])
  },
}

export const set = {
  name: 'set',
  title: 'Cache set',
  baseline: 'ioredis',
  contenders: READERS.filter((name) => name !== 'cinnabar-raw'),
  async prepare(client, { size, shape }) {
    const keys = names(size).map(client.cacheKey)
    const values = keys.map((_, n) => makeValue(n, size, shape))
    await client.setJson(keys[1], values[1], TTL_SECONDS)
    if ((await client.getJson(keys[1]))?.id !== 1) throw new Error('a value that was set cannot be read')
    return (i) => client.setJson(keys[i % keys.length], values[i % keys.length], TTL_SECONDS)
  },
}
