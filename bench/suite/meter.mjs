/** What a stretch of work cost this process, per call. */
import { performance } from 'node:perf_hooks'
import { mainThreadMicros } from './cpu.mjs'

/** Starts counting, on a heap without garbage; `stop` says what `calls` calls have cost since. */
export function startMeter() {
  globalThis.gc?.()
  const before = reading()
  return {
    startedAt: before.now,
    stop({ calls, latencies = null }) {
      const after = reading()
      const perCall = (micros) => micros / calls
      return {
        calls,
        opsPerSecond: calls / ((after.now - before.now) / 1000),
        p50Micros: latencies?.percentile(0.5) ?? null,
        p99Micros: latencies?.percentile(0.99) ?? null,
        // Waiting in epoll is idle; everything else the loop does, the microtasks of its callbacks included, is active.
        mainMicros: perCall(performance.eventLoopUtilization(after.loop, before.loop).active * 1000),
        mainCpuMicros: before.main === null ? null : perCall(after.main - before.main),
        processMicros: perCall(after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system),
        rssMegabytes: process.memoryUsage.rss() / 1e6,
      }
    },
  }
}

const reading = () => ({
  now: performance.now(),
  loop: performance.eventLoopUtilization(),
  cpu: process.cpuUsage(),
  main: mainThreadMicros(),
})
