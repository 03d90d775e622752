/** Keeps `inflight` calls of one operation going for a fixed time and says what they cost. */
import { performance } from 'node:perf_hooks'
import { mainThreadMicros } from './cpu.mjs'
import { Latencies } from './latencies.mjs'

/** Counts on through all runs, so that a run goes on with the keys where the last one stopped. */
let next = 0

export async function measure(operation, { inflight, ms }) {
  globalThis.gc?.()
  const latencies = new Latencies()
  const before = reading()
  const end = before.now + ms
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
  const after = reading()
  const perCall = (micros) => micros / latencies.count
  return {
    calls: latencies.count,
    opsPerSecond: latencies.count / ((after.now - before.now) / 1000),
    p50Micros: latencies.percentile(0.5),
    p99Micros: latencies.percentile(0.99),
    // Waiting in epoll is idle; everything else the loop does, the microtasks of its callbacks included, is active.
    mainMicros: perCall(performance.eventLoopUtilization(after.loop, before.loop).active * 1000),
    mainCpuMicros: before.main === null ? null : perCall(after.main - before.main),
    processMicros: perCall(after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system),
    rssMegabytes: process.memoryUsage.rss() / 1e6,
  }
}

const reading = () => ({
  now: performance.now(),
  loop: performance.eventLoopUtilization(),
  cpu: process.cpuUsage(),
  main: mainThreadMicros(),
})
