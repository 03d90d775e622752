/** Hands one lock over from caller to caller for a fixed time, and says how long it takes from a release to the next caller. */
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

import { Latencies } from './latencies.mjs'
import { startMeter } from './meter.mjs'

/** For how long at most a lock is held, so that callers that ask from time to time are met at any moment. */
const HELD_MS = 15

/** `take()` waits for the lock, and resolves to a function that releases it. */
export async function measureHandover(take, { ms }) {
  const latencies = new Latencies()
  const meter = startMeter()
  let release = await take()
  while (performance.now() - meter.startedAt < ms) {
    const next = take()
    await sleep(1 + Math.random() * HELD_MS)
    const began = performance.now()
    await release()
    release = await next
    latencies.record(performance.now() - began)
  }
  await release()
  return meter.stop({ calls: latencies.count, latencies })
}
