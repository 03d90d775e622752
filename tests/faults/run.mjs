// Runs one scenario in a process of its own and sends its row to the process that started it:
//
//   node --expose-gc tests/faults/run.mjs tests/faults/scenarios/03-reset-mid-reply.mjs 1 short

import { pathToFileURL } from 'node:url'

import { startRedis } from '../../__test__/support/redis.mjs'
import { startProxy } from './proxy.mjs'
import { Run } from './scenario.mjs'
import { measureProcess, settledMemory } from './process-metrics.mjs'

const MB = 1 << 20
const [, , file, seed, length] = process.argv
// A clock of its own is for this process only, not for the servers it starts.
delete process.env.LD_PRELOAD
const { default: about } = await import(pathToFileURL(file).href)
process.on('disconnect', () => process.exit(1))
// An unhandled rejection is a fault of the scenario or of the library; either way it is to be seen.
process.on('unhandledRejection', (error) => {
  run.check(false, `an unhandled rejection: ${error?.stack ?? error}`)
})

const cinnabar = await import('cinnabar')
const watching = measureProcess()
const run = new Run({ about, seed: Number(seed), short: length === 'short', cinnabar, watch: watching })

let before = 0
try {
  if (about.engine === 'redis') {
    run.server = await startRedis(about.server)
    await warmUp()
    run.proxy = await startProxy({ target: run.server.port, seed: run.seed, raw: about.raw })
  }
  before = await settledMemory()
  watching.restart()
  await about.run(run)
} catch (error) {
  run.check(false, `it could not go on: ${error.stack}`)
}
try {
  await run.finish()
} catch (error) {
  run.check(false, `it could not be ended: ${error.stack}`)
}
const watched = watching.stop()
// The memory of large values is given back within some seconds, not at once.
const after = await settledMemory({ below: before + about.rssMb * MB, withinMs: 4000 })
watched.peakMb = Math.max(0, watched.peak - before) / MB
const row = run.row({ watched, growthMb: Math.max(0, after - before) / MB })
if (process.send) process.send(row, () => process.exit())
else console.log(row)
if (!process.send) process.exit()

/** Makes everything that is made once, so that it does not count as memory that a fault took. */
async function warmUp() {
  const service = new cinnabar.RedisService({ url: run.server.url })
  try {
    await service.connect()
    for (let round = 0; round < 50; round++) {
      await Promise.all(Array.from({ length: 50 }, (_, i) => service.set(`warm:${i}`, `${round}`.repeat(100))))
      await Promise.all(Array.from({ length: 50 }, (_, i) => service.get(`warm:${i}`)))
    }
  } catch {
    // A server that refuses this, such as one with a password, is what its scenario is about.
  }
  await service.disconnect()
}
