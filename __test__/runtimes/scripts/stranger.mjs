// One thread of strangers.mjs: makes a few calls of many sizes, says so, and waits for its end. A busy one goes on till then.

import { parentPort, workerData } from 'node:worker_threads'

import { RedisService } from 'cinnabar'

const service = new RedisService()
let end = false
parentPort.once('message', () => (end = true))

let calls = 0
await round()
parentPort.postMessage(calls)
if (workerData === 'busy') {
  while (!end) await round()
  parentPort.postMessage(calls)
} else {
  while (!end) await service.get('strangers:0')
}
await service.disconnect()

async function round() {
  const sizes = [1, 100, 5000, 300_000]
  await Promise.all(
    sizes.map(async (size, number) => {
      const key = `strangers:${number}`
      await service.set(key, 'x'.repeat(size))
      const length = (await service.get(key)).length
      if (length !== size) throw new Error(`${length} of ${size} characters came back`)
    }),
  )
  calls += 2 * sizes.length
}
