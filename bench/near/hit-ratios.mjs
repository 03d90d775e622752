/** How many of the reads of a trace are near if there is room for so many percent of the keys, beside an exact LRU. */
import { ApiCache, RedisService } from '../../index.js'

import { keyOf } from './contenders.mjs'

const SHARES = [0.5, 1, 5, 10, 25]
// The weight of an entry besides its JSON: see `features/cache/near.rs`. The key is `api:key:` and some digits.
const PER_ENTRY = 192 + 13

export async function hitRatios({ url, keys, sequence, value }) {
  const bytes = JSON.stringify(value).length + PER_ENTRY
  const ratios = []
  for (const share of SHARES) {
    const room = Math.floor((keys * share) / 100)
    const service = new RedisService({ url })
    const cache = new ApiCache(service, { near: { maxBytes: room * bytes } })
    // One after the other, since a replay has no concurrency; the second half counts.
    const half = sequence.length >> 1
    await replay(cache, sequence.subarray(0, half))
    const before = cache.stats().nearHits
    await replay(cache, sequence.subarray(half))
    const near = ((cache.stats().nearHits - before) / half) * 100
    ratios.push({ share, near, lru: lru(sequence, half, room) * 100 })
    await service.disconnect()
  }
  return ratios
}

async function replay(cache, part) {
  for (let at = 0; at < part.length; at += 256) {
    await Promise.all(Array.from(part.subarray(at, at + 256), (key) => cache.get(keyOf(key))))
  }
}

function lru(sequence, half, room) {
  const entries = new Map()
  let hits = 0
  for (const [at, key] of sequence.entries()) {
    if (entries.delete(key) && at >= half) hits++
    entries.set(key, true)
    if (entries.size > room) entries.delete(entries.keys().next().value)
  }
  return hits / half
}
