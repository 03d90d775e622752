// A typical program: on SIGTERM it disconnects, and then nothing keeps it alive.

import { RedisService } from 'cinnabar'

const service = new RedisService({ url: process.argv[2], timeoutMs: 20_000 })
await service.set('value', 'right')
const calls = []
process.once('SIGTERM', async () => {
  const at = performance.now()
  const drained = service.disconnect()
  const later = await service.get('value').then(
    (value) => `the value ${value}`,
    (error) => error.code,
  )
  await drained
  const outcomes = await Promise.all(calls)
  const codes = {}
  for (const { error } of outcomes) if (error) codes[error.code] = (codes[error.code] ?? 0) + 1
  const ms = performance.now() - at
  const right = outcomes.filter(({ value }) => value === 'right').length
  process.send({ done: { calls: calls.length, right, settled: outcomes.length, codes, later, ms } })
  process.disconnect()
})
process.once('message', () => {
  for (let i = 0; i < 200; i++) {
    calls.push(
      service.get('value').then(
        (value) => ({ value }),
        (error) => ({ error }),
      ),
    )
  }
  setImmediate(() => process.send({ sent: true }))
})
process.send({ ready: true })
