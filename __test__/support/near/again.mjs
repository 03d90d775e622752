// Values that are cached near.

import { until } from '../../helpers.mjs'

/** Reads a value until it is near. */
export async function nearAgain(cache, key) {
  await until(`${key} is near`, async () => {
    const before = cache.stats().nearHits
    await cache.get(key)
    return cache.stats().nearHits > before
  })
}
