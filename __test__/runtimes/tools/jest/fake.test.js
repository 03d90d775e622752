// The first service of this file is made under fake timers, as where a test's set-up fakes them for all.

jest.useFakeTimers()
const { ApiCache, RedisService } = require('cinnabar')

const made = []
const make = () => made[made.push(new RedisService()) - 1]
afterAll(() => Promise.all(made.map((service) => service.disconnect())))

test('resolves while timers are fake', async () => {
  const service = make()
  expect(await service.set('jest', '1')).toBe('OK')
  expect((await service.healthCheck()).status).toBe('connected')
})

test('resolves when they are real again', async () => {
  jest.useRealTimers()
  const service = make()
  expect(await service.get('jest')).toBe('1')
})

test('reads what is cached near, in a realm of its own', async () => {
  const cache = new ApiCache(make(), { near: true })
  expect(await cache.get('jest:none')).toBe(null)
  await cache.set('jest:near', { x: [1] })
  while (cache.stats().nearHits === 0) expect(await cache.get('jest:near')).toEqual({ x: [1] })
  expect(cache.peek('jest:near')).toEqual({ x: [1] })
})
