// `npm run shares`: processes that share limits never exceed them together.  npm run shares -- --windows 1000000 --processes 8 --seed 1
//
// First, processes check identifiers at random in short windows, while they are killed, stopped and started, their clocks jump and the
// server is restarted: no window may admit more than its limit. Then all of them ask for more than a limit allows, steadily: nearly all
// of it must be used, with few commands.

import { fork } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { POLICIES, startWorker } from '../__test__/support/shares/worker.mjs'

const FEWEST_USED = 0.97
const self = fileURLToPath(import.meta.url)

async function lead() {
  const { values } = parseArgs({
    options: {
      windows: { type: 'string', default: '1000000' },
      processes: { type: 'string', default: '8' },
      seed: { type: 'string', default: '1' },
      // How long a round of faults is, how long they demand steadily, and more of what.
      round: { type: 'string', default: '15' },
      seconds: { type: 'string', default: '15' },
      limit: { type: 'string', default: '2000000' },
      // The most commands per check, of which a busy machine makes fewer in a second.
      commands: { type: 'string', default: '0.001' },
    },
  })
  const of = (name) => Number(values[name])
  const [windows, processes, seed, limit] = [of('windows'), of('processes'), of('seed'), of('limit')]
  const { startRedis } = await import('../__test__/support/redis.mjs')
  // What it has counted survives its restarts: the operating system has what a killed process wrote.
  const server = await startRedis({ args: ['--appendonly', 'yes'] })
  const faults = await underFaults(server, { windows, processes, seed, roundMs: 1000 * of('round') })
  console.log(JSON.stringify({ part: 'faults', seed, processes, ...faults }))
  await server.stop()

  const quiet = await startRedis()
  const steady = await underDemand(quiet, { processes, limit, seconds: of('seconds') })
  console.log(JSON.stringify({ part: 'steady demand', processes, ...steady }))
  await quiet.stop()
  const good =
    faults.windows >= windows &&
    faults.over === 0 &&
    faults.late === 0 &&
    steady.over === 0 &&
    steady.used >= FEWEST_USED &&
    steady.commandsPerCheck <= of('commands')
  process.exitCode = good ? 0 : 1
}

/** Kills, stops and starts processes, and restarts the server, until so many windows have been checked. */
async function underFaults(server, { windows, processes, seed, roundMs }) {
  const dice = random(seed)
  const folder = mkdtempSync(join(tmpdir(), 'cinnabar-shares-'))
  const total = { windows: 0, full: 0, over: 0, late: 0, killed: 0, stopped: 0, restarts: 0, allowed: 0 }
  let born = 0
  const start = () => {
    const env = { PATH: process.env.PATH, URL_OF_SERVER: server.url, FOLDER: folder, NUMBER: ++born, SEED: seed + born }
    return fork(self, { env: { ...env, PART: 'faults' } })
  }
  try {
    while (total.windows < windows) {
      const workers = Array.from({ length: processes }, start)
      const ends = performance.now() + roundMs
      const restart = performance.now() + roundMs * dice()
      let restarted = false
      while (performance.now() < ends) {
        await sleep(200 * dice())
        const at = Math.floor(dice() * processes)
        if (dice() < 0.5) {
          workers[at].kill('SIGKILL')
          workers[at] = start()
          total.killed++
        } else {
          const stopped = workers[at]
          stopped.kill('SIGSTOP')
          setTimeout(() => stopped.kill('SIGCONT'), 600 * dice())
          total.stopped++
        }
        if (!restarted && performance.now() > restart) {
          restarted = true
          await (dice() < 0.5 ? server.kill() : server.stop())
          await server.start()
          total.restarts++
        }
      }
      for (const worker of workers) worker.kill('SIGKILL')
      await sleep(700)
      for (const [name, count] of Object.entries(counted(folder))) total[name] += count
      console.log(`${total.windows} windows, ${total.over} over, ${total.late} late`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return total
}

/** Adds up what the processes of a round have written, and removes it. */
function counted(folder) {
  const windows = new Map()
  const total = { windows: 0, full: 0, over: 0, late: 0, allowed: 0 }
  for (const file of readdirSync(folder)) {
    // A process that was killed may have written half a line.
    const lines = readFileSync(join(folder, file), 'utf8').split('\n').slice(0, -1)
    for (const line of lines) {
      const [policy, identifier, ends, count, late] = line.split(' ')
      const window = `${policy} ${identifier} ${ends}`
      windows.set(window, (windows.get(window) ?? 0) + Number(count))
      total.late += Number(late)
    }
    rmSync(join(folder, file))
  }
  for (const [window, count] of windows) {
    const { limit } = POLICIES[window.split(' ', 1)[0]]
    total.windows += 1
    total.allowed += count
    if (count === limit) total.full += 1
    if (count > limit) {
      total.over += 1
      console.error(`${window}: ${count} of ${limit}`)
    }
  }
  return total
}

/** Lets all processes ask for more than the limit allows. */
async function underDemand(server, { processes, seconds, limit }) {
  const workers = Array.from({ length: processes }, (_, n) => {
    const env = {
      PATH: process.env.PATH,
      URL_OF_SERVER: server.url,
      SECONDS: seconds,
      LIMIT: limit,
      WEIGHT: n + 1,
      PART: 'demand',
    }
    return fork(self, { env })
  })
  const before = await commands(server)
  const all = await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))))
  const after = await commands(server)
  const windows = new Map()
  for (const { counts } of all) for (const [ends, count] of counts) windows.set(ends, (windows.get(ends) ?? 0) + count)
  const whole = [...windows]
    .sort(([one], [other]) => one - other)
    .map(([, count]) => count)
    .slice(1, -1)
  const checks = all.reduce((sum, each) => sum + each.checks, 0)
  return {
    windows: whole.length,
    over: whole.filter((count) => count > limit).length,
    used: whole.reduce((sum, count) => sum + count, 0) / (whole.length * limit),
    leastUsed: Math.min(...whole) / limit,
    checks,
    commandsPerCheck: (after - before) / checks,
    shareOfRefused: 1 - all.reduce((sum, each) => sum + each.allowed, 0) / checks,
  }
}

async function commands(server) {
  return Number(/total_commands_processed:(\d+)/.exec(await server.command('INFO', 'stats'))[1])
}

function random(seed) {
  let state = seed
  return () => (state = (state * 48271) % 2147483647) / 2147483647
}

if (process.env.PART) await startWorker(process.env)
else await lead()
