// The first service of this file is made under fake timers, as where a test's set-up fakes them for all.

jest.useFakeTimers()
const { RedisService } = require('cinnabar')

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
