// The cache handlers of Next.js.
import { RedisService } from 'cinnabar'
import Handler, { createCacheHandler } from 'cinnabar/next/cache-handler'
import handlers, { createCacheHandlers, type NextCacheEntry, type NextCacheStats } from 'cinnabar/next/cache-handlers'

import { same } from './same.js'

export async function forNext(): Promise<void> {
  const service = new RedisService({ url: 'memory:' })
  const options = {
    service,
    prefix: 'shop:',
    timeoutMs: 300,
    tagTimeoutMs: 1000,
    maxAgeSeconds: 3600,
    maxEntryBytes: 1e6,
  }
  const own = createCacheHandlers({ ...options, log: (line) => void line.length })
  const entry = await own.get('key', [])
  same<NextCacheEntry | undefined, typeof entry>(true)
  if (entry) await handlers.set('key', Promise.resolve(entry))
  await handlers.updateTags(['a'], { expire: 60 })
  const stats: NextCacheStats = handlers.stats()

  const Class = createCacheHandler({ ...options, buildId: 'one', log: false })
  const handler = new Class({ serverDistDir: '.next/server' })
  await handler.revalidateTag('a', { expire: 60 })
  await new Handler().revalidateTag(['a'])
  const { hits }: NextCacheStats = Class.stats()
  // @ts-expect-error no such option
  createCacheHandlers({ ttl: 60 })
  // @ts-expect-error only of the other one
  createCacheHandlers({ buildId: 'one' })
  // @ts-expect-error it is a class
  Handler({})
  void [stats, hits]
}
