/** Keeps `inflight` calls of one operation going for a fixed time and says what they cost. */
import { performance } from 'node:perf_hooks'
import { Latencies } from './latencies.mjs'
import { startMeter } from './meter.mjs'

/** Counts on through all runs, so that a run goes on with the keys where the last one stopped. */
let next = 0

export async function measure(operation, { inflight, ms }) {
  const latencies = new Latencies()
  const meter = startMeter()
  const end = meter.startedAt + ms
  const loop = async () => {
    let start = performance.now()
    while (start < end) {
      await operation(next++)
      const now = performance.now()
      latencies.record(now - start)
      start = now
    }
  }
  await Promise.all(Array.from({ length: inflight }, loop))
  return meter.stop({ calls: latencies.count, latencies })
}
