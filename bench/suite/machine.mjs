/** Where and with what it was measured, and what the measuring itself costs. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os'
import { measure } from './measure.mjs'

export async function describeMachine({ server, peers }) {
  const own = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGigabytes: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
    loadBefore: Number(loadavg()[0].toFixed(2)),
    node: process.version,
    server: server.version,
    commit: commit(),
    versions: { cinnabar: own.version, ...peers },
    harnessMicros: await harnessMicros(),
  }
}

/** µs of the main thread that the loop, the clock and the histogram take per call: part of every figure, never subtracted. */
async function harnessMicros() {
  const nothing = async () => {}
  await measure(nothing, { inflight: 64, ms: 100 })
  const { opsPerSecond } = await measure(nothing, { inflight: 64, ms: 200 })
  return 1e6 / opsPerSecond
}

function commit() {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], {
      cwd: new URL('.', import.meta.url),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return null
  }
}
