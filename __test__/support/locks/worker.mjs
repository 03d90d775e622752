// A process that contends for locks and writes to PostgreSQL under them, as `scripts/locks.mjs` starts it.

import { openSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import pg from 'pg'

/** How long a lock lasts without being renewed. */
const TTL_SECONDS = 1
/** A process reports every so many locks that it has acquired. */
const STEP = 10

// No other write of the row may have had a higher fencing token. What was written is recorded in the same statement.
const WRITE = `
  WITH written AS (UPDATE guarded SET fence = $2 WHERE resource = $1 AND fence <= $2 RETURNING resource)
  INSERT INTO writes (resource, fence, token) SELECT resource, $2, $3 FROM written`

/** Works until it is killed, or has made as many hand-overs as `env` says. */
export async function startWorker(env) {
  const { RedisService } = createRequire(import.meta.url)('../../..')
  const service = new RedisService({ url: env.URL_OF_SERVER, log: false })
  process.on('disconnect', () => process.exit())
  await (env.PART === 'turns' ? takeTurns(service, env) : contend(service, env))
}

async function contend(service, { POSTGRES, FOLDER, NUMBER, SEED, CONTENDERS, RESOURCES }) {
  const db = new pg.Pool({ ...JSON.parse(POSTGRES), max: 4 })
  db.on('error', () => {})
  const file = openSync(join(FOLDER, NUMBER), 'a')
  const dice = random(Number(SEED))
  let acquired = 0
  const run = async () => {
    for (;;) {
      const resource = `r${Math.floor(dice() * RESOURCES)}`
      const line = await underLock(service.locks, db, resource, dice)
      writeSync(file, `${JSON.stringify(line)}\n`)
      if (line.fence !== undefined && ++acquired % STEP === 0) process.send(STEP)
    }
  }
  await Promise.all(Array.from({ length: CONTENDERS }, run))
}

/** Acquires the lock and writes under it. Returns what happened: from when to when the lock was certainly held, and what was written. */
async function underLock(locks, db, resource, dice) {
  const began = now()
  const wait = { timeoutMs: 60_000, fair: dice() < 0.5 }
  let lock
  try {
    lock = await locks.acquire(resource, { ttlSeconds: TTL_SECONDS, wait })
  } catch ({ code }) {
    // While no server listens a call fails at once, and would be repeated thousands of times a second.
    if (code === 'E_UNAVAILABLE') await sleep(50)
    return { resource, waited: now() - began, code }
  }
  const { fence, token } = lock
  const line = { resource, fence, token, waited: now() - began, from: now(), to: 0, written: 0, refused: 0 }
  const isHeld = () => {
    const at = now()
    if (!lock.held) return false
    line.to = at
    return true
  }
  // How long the work under the lock takes, so that faults meet holders at any moment of it.
  const pause = dice() * 5
  if (dice() < 0.0005) block(3000 * TTL_SECONDS)
  for (let n = 0; n < 2 && isHeld(); n++) {
    const { rowCount } = await db.query(WRITE, [resource, fence, token])
    line.written += rowCount
    // Refused although no other caller can have had the lock.
    if (rowCount === 0 && isHeld()) line.refused += 1
    await sleep(pause)
  }
  // One that is careless writes without looking, as after having been suspended.
  line.careless = (await db.query(WRITE, [resource, fence, token])).rowCount
  if (!isHeld()) line.aborted = lock.signal.aborted
  line.outcome = await lock.release()
  return line
}

/** Hands one lock over among its callers, all of which wait in turn. */
async function takeTurns(service, { CONTENDERS, HAND_OVERS }) {
  let [left, longest] = [Number(HAND_OVERS), 0]
  const run = async () => {
    while (left-- > 0) {
      const began = performance.now()
      const lock = await service.locks.acquire('turns', { wait: { fair: true, timeoutMs: 600_000 } })
      longest = Math.max(longest, performance.now() - began)
      await lock.release()
    }
  }
  await Promise.all(Array.from({ length: CONTENDERS }, run))
  await service.disconnect()
  process.send({ longest }, () => process.disconnect())
}

function block(ms) {
  const until = performance.now() + ms
  while (performance.now() < until);
}

/** In ms, by the clock that all processes of a machine share. */
function now() {
  return Number(process.hrtime.bigint() / 1000n) / 1000
}

function random(seed) {
  let state = seed
  return () => (state = (state * 48271) % 2147483647) / 2147483647
}
