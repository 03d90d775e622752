// Run by vitest as four files, each in a worker thread of its own that ends with it.

import { RedisService } from 'cinnabar'
import { expect, test, vi } from 'vitest'

test('resolves', async () => {
  const service = new RedisService()
  await service.set('vitest', 'x'.repeat(10_000))
  expect(await service.get('vitest')).toHaveLength(10_000)
  await service.disconnect()
})

test('resolves under fake timers', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'setImmediate', 'Date', 'queueMicrotask', 'performance'] })
  const service = new RedisService()
  expect(await service.set('vitest:fake', '1')).toBe('OK')
  expect((await service.healthCheck()).status).toBe('connected')
  await service.disconnect()
  vi.useRealTimers()
})
