// `npm run locks`: contenders for locks in several processes, under faults.  npm run locks -- --acquisitions 100000 --handovers 1000000 --seed 1
//
// First, 64 contenders in 4 processes acquire locks, wait for them in turn or not, and write to PostgreSQL with the fencing token, while
// processes are killed and suspended, event loops are blocked and the server is restarted. No two of them may hold a lock at once, no write with
// an old token may pass, none of a holder be refused, and none may wait for ever. Then the same while sentinels promote replicas, which may
// lack the last writes: there, two may hold a lock at once, as the documentation says, and PostgreSQL alone refuses the older one. Last, one lock
// is handed over among callers that wait in turn: a wake-up that is lost would be noticed after seconds.

import { fork } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import pg from 'pg'

import { startWorker } from '../__test__/support/locks/worker.mjs'

const self = fileURLToPath(import.meta.url)
const PROCESSES = 4
const CONTENDERS = 16
// For three lives of a lock.
const SUSPENDED_MS = 3000

async function lead() {
  const { values } = parseArgs({
    options: {
      acquisitions: { type: 'string', default: '100000' },
      handovers: { type: 'string', default: '1000000' },
      resources: { type: 'string', default: '8' },
      failovers: { type: 'string', default: '5' },
      seed: { type: 'string', default: '1' },
    },
  })
  const of = (name) => Number(values[name])
  const { startPostgres } = await import('../__test__/support/postgres.mjs')
  const postgres = await startPostgres()
  const common = { postgres, resources: of('resources'), seed: of('seed') }
  const parts = [await underRestarts({ ...common, acquisitions: of('acquisitions') })]
  if (of('failovers') > 0) parts.push(await underFailovers({ ...common, failovers: of('failovers') }))
  await postgres.stop()
  parts.push(await inTurn({ handovers: of('handovers') }))
  for (const part of parts) console.log(JSON.stringify(part))
  process.exitCode = parts.every(({ good }) => good) ? 0 : 1
}

/** Kills and suspends processes, and restarts the server, which loses nothing. */
async function underRestarts({ acquisitions, ...common }) {
  const { startRedis } = await import('../__test__/support/redis.mjs')
  const server = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
  const restart = async (dice) => {
    await (dice() < 0.5 ? server.kill() : server.stop())
    await server.start()
  }
  const counts = await contend({
    ...common,
    url: server.url,
    every: 5000,
    fault: restart,
    isDone: (acquired) => acquired >= acquisitions,
  })
  await server.stop()
  const good = [
    counts.overlaps,
    counts.sameFence,
    counts.olderFence,
    counts.staleWrites,
    counts.refused,
    counts.unaborted,
  ].every((n) => n === 0)
  return { part: 'restarts', ...counts, good: good && counts.starved === 0 && counts.acquired >= acquisitions }
}

/** The same, but what replicas lack when they are promoted is lost. */
async function underFailovers({ failovers, ...common }) {
  const { startSentinels } = await import('../__test__/support/sentinel.mjs')
  const group = await startSentinels({ leaders: 1 })
  let done = 0
  const failOver = async () => {
    const primary = await group.primary()
    await primary.kill()
    await group.replaced(primary)
    await primary.start()
    done += 1
  }
  const counts = await contend({
    ...common,
    url: group.url,
    every: 4000,
    fault: failOver,
    isDone: () => done >= failovers,
  })
  await group.close()
  const good = [counts.sameFence, counts.staleWrites, counts.unaborted].every((n) => n === 0)
  return { part: 'fail-overs', failovers: done, ...counts, good: good && counts.starved === 0 && counts.acquired > 0 }
}

/** Contends for locks until `isDone(acquired)`; every so many ms there is a `fault(dice)`. */
async function contend({ postgres, resources, seed, url, every, fault, isDone }) {
  const db = new pg.Client(postgres.config)
  await db.connect()
  await db.query('DROP TABLE IF EXISTS guarded, writes')
  await db.query('CREATE TABLE guarded (resource text PRIMARY KEY, fence bigint NOT NULL DEFAULT 0)')
  await db.query('CREATE TABLE writes (seq bigserial PRIMARY KEY, resource text, fence bigint, token text)')
  for (let n = 0; n < resources; n++) await db.query('INSERT INTO guarded VALUES ($1)', [`r${n}`])
  const dice = random(seed)
  const folder = mkdtempSync(join(tmpdir(), 'cinnabar-locks-'))
  const faults = { killed: 0, suspended: 0, faults: 0 }
  let [born, acquired] = [0, 0]
  const start = () => {
    const env = {
      PATH: process.env.PATH,
      URL_OF_SERVER: url,
      POSTGRES: JSON.stringify(postgres.config),
      FOLDER: folder,
      PART: 'contend',
    }
    const own = { NUMBER: ++born, SEED: seed + born, CONTENDERS, RESOURCES: resources }
    const worker = fork(self, { env: { ...env, ...own } })
    return worker.on('message', (count) => (acquired += count))
  }
  const workers = Array.from({ length: PROCESSES }, start)
  let lines = []
  try {
    let next = performance.now() + every
    while (!isDone(acquired)) {
      // A fault every second or so, at random moments.
      await sleep(400 + 1200 * dice())
      const at = Math.floor(dice() * PROCESSES)
      if (dice() < 0.5) {
        workers[at].kill('SIGKILL')
        workers[at] = start()
        faults.killed += 1
      } else {
        const suspended = workers[at]
        suspended.kill('SIGSTOP')
        setTimeout(() => suspended.kill('SIGCONT'), SUSPENDED_MS)
        faults.suspended += 1
      }
      if (performance.now() > next) {
        await fault(dice)
        faults.faults += 1
        next = performance.now() + every
      }
      console.log(`${acquired} acquisitions`)
    }
  } finally {
    for (const worker of workers) worker.kill('SIGKILL')
    lines = linesIn(folder)
    rmSync(folder, { recursive: true, force: true })
  }
  const { rows } = await db.query('SELECT resource, fence, token FROM writes ORDER BY seq')
  await db.end()
  return { ...faults, ...checked(lines, rows) }
}

function linesIn(folder) {
  // A process that was killed may have written half a line.
  const linesOf = (file) => readFileSync(join(folder, file), 'utf8').split('\n').slice(0, -1)
  return readdirSync(folder)
    .flatMap(linesOf)
    .map((line) => JSON.parse(line))
}

/** What went wrong, by what the contenders have recorded and what PostgreSQL has accepted, in its order. */
function checked(lines, writes) {
  const holders = lines.filter(({ fence }) => fence !== undefined)
  const counts = {
    acquired: holders.length,
    overlaps: 0,
    // Two holders with the same fencing token, and one with a lower token than the holder before it.
    sameFence: 0,
    olderFence: 0,
    staleWrites: 0,
    refused: sumOf(holders, 'refused'),
    // Writes of those that had lost the lock and did not look, which PostgreSQL has refused.
    careless: holders.filter(({ careless }) => careless === 0).length,
    // Lost without their signal being aborted.
    unaborted: holders.filter(({ aborted }) => aborted === false).length,
    lost: holders.filter(({ outcome }) => outcome === 'already-lost').length,
    starved: lines.filter(({ code }) => code === 'E_LOCK_HELD').length,
    failed: lines.filter(({ code }) => code !== undefined && code !== 'E_LOCK_HELD').length,
    longestWaitMs: Math.round(lines.reduce((longest, { waited }) => Math.max(longest, waited), 0)),
  }
  for (const all of groupedBy(holders, 'resource')) {
    const known = all.filter(({ to }) => to > 0).sort((one, other) => one.from - other.from)
    let before
    for (const holder of known) {
      if (before !== undefined && holder.from < before.to) counts.overlaps += 1
      if (before !== undefined && holder.fence < before.fence) counts.olderFence += 1
      if (before === undefined || holder.to > before.to) before = holder
    }
    counts.sameFence += all.length - new Set(all.map(({ fence }) => fence)).size
  }
  for (const all of groupedBy(writes, 'resource')) {
    let [highest, token] = [0, undefined]
    for (const write of all) {
      const fence = Number(write.fence)
      if (fence < highest || (fence === highest && write.token !== token)) counts.staleWrites += 1
      if (fence >= highest) [highest, token] = [fence, write.token]
    }
  }
  return counts
}

function groupedBy(items, name) {
  const groups = new Map()
  for (const item of items) groups.set(item[name], [...(groups.get(item[name]) ?? []), item])
  return groups.values()
}

function sumOf(items, name) {
  return items.reduce((sum, item) => sum + item[name], 0)
}

/** Hands one lock over among all contenders. */
async function inTurn({ handovers }) {
  const { startRedis } = await import('../__test__/support/redis.mjs')
  const server = await startRedis()
  const env = { PATH: process.env.PATH, URL_OF_SERVER: server.url, PART: 'turns' }
  const share = { CONTENDERS, HAND_OVERS: Math.ceil(handovers / PROCESSES) }
  const began = performance.now()
  const workers = Array.from({ length: PROCESSES }, () => fork(self, { env: { ...env, ...share } }))
  const all = await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))))
  const seconds = (performance.now() - began) / 1000
  await server.stop()
  const longestMs = Math.round(Math.max(...all.map(({ longest }) => longest)))
  const msPerHandover = Number(((seconds * 1000) / (share.HAND_OVERS * PROCESSES)).toFixed(3))
  // Each of them waits for all others once. A lost wake-up is noticed when a caller asks again, which is every two seconds.
  return { part: 'turns', handovers: share.HAND_OVERS * PROCESSES, msPerHandover, longestMs, good: longestMs < 3000 }
}

function random(seed) {
  let state = seed
  return () => (state = (state * 48271) % 2147483647) / 2147483647
}

if (process.env.PART) await startWorker(process.env)
else await lead()
