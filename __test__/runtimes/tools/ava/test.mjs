// Run by AVA as several files, each in a worker thread of its own that ends with it.

import { RedisService } from 'cinnabar'
import test from 'ava'

test('resolves', async (t) => {
  const service = new RedisService()
  await service.set('ava', 'x'.repeat(10_000))
  t.is((await service.get('ava')).length, 10_000)
  await service.disconnect()
})
