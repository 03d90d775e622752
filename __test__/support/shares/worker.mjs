// A process that checks limits in which it has shares, as `scripts/shares.mjs` starts it.

import { openSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'

const mode = 'shares'
/** The policies that are checked. */
export const POLICIES = {
  one: { algorithm: 'fixed-window', limit: 1, per: 0.1, mode },
  few: { algorithm: 'fixed-window', limit: 7, per: 0.15, mode },
  some: { algorithm: 'fixed-window', limit: 100, per: 0.2, mode },
  many: { algorithm: 'fixed-window', limit: 1000, per: 0.3, mode },
}
const CHOSEN = ['one', 'few', 'some', 'many']
const IDENTIFIERS = 1000
const BURST = 50
const AT_ONCE = 16

/** Works until it is killed, or for as long as `env` says. */
export async function startWorker(env) {
  const { RedisService, RateLimiter } = createRequire(import.meta.url)('../../..')
  const service = new RedisService({ url: env.URL_OF_SERVER, log: false, timeoutMs: 1000 })
  const tenant = { algorithm: 'fixed-window', limit: Number(env.LIMIT ?? 1), per: 1, mode }
  const limiter = new RateLimiter(service, { policies: { ...POLICIES, tenant }, onUnavailable: 'deny' })
  process.on('disconnect', () => process.exit())
  await (env.PART === 'faults' ? underFaults(limiter, env) : underDemand(limiter, env))
}

async function underFaults(limiter, { FOLDER, NUMBER, SEED }) {
  const file = openSync(join(FOLDER, NUMBER), 'a')
  const wall = Date.now
  let skew = 0
  // Its clock is not that of others, and jumps.
  if (NUMBER % 2 === 0) Date.now = () => wall() + skew
  const dice = random(Number(SEED))
  for (;;) {
    if (dice() < 0.01) skew = Math.round((dice() - 0.5) * 7_200_000)
    const began = wall()
    const all = await Promise.all(Array.from({ length: AT_ONCE }, () => burst(limiter, dice, NUMBER)))
    let text = ''
    for (const { policy, identifier, results } of all) {
      for (const [ends, count] of allowedIn(results)) {
        // A share was used after its window: it was decided after `began`.
        text += `${policy} ${identifier} ${ends} ${count} ${began > ends ? count : 0}\n`
      }
    }
    writeSync(file, text)
    await turn()
  }
}

/** Checks one identifier a number of times at once. */
async function burst(limiter, dice, number) {
  // Each process has favourites of its own, and some in common with all.
  const place = Math.floor(dice() * dice() * IDENTIFIERS) + (dice() < 0.5 ? 0 : (number % 8) * 31)
  const identifier = String(place % IDENTIFIERS)
  const policy = CHOSEN[Math.floor(dice() * CHOSEN.length)]
  const size = dice() < 0.02 ? BURST * 10 : Math.ceil(dice() * BURST)
  const results = await Promise.all(Array.from({ length: size }, () => limiter.check(policy, identifier)))
  return { policy, identifier, results }
}

/** The number of allowed checks by the end of their window. */
function allowedIn(results) {
  const counts = new Map()
  for (const { allowed, resetTime } of results) {
    if (allowed) counts.set(resetTime, (counts.get(resetTime) ?? 0) + 1)
  }
  return counts
}

async function underDemand(limiter, { SECONDS, WEIGHT }) {
  const counts = new Map()
  let [checks, allowed] = [0, 0]
  const until = performance.now() + Number(SECONDS) * 1000
  while (performance.now() < until) {
    const results = await Promise.all(Array.from({ length: 20 * Number(WEIGHT) }, () => limiter.check('tenant', 'one')))
    for (const result of results) {
      checks += 1
      if (!result.allowed) continue
      allowed += 1
      counts.set(result.resetTime, (counts.get(result.resetTime) ?? 0) + 1)
    }
    // Timers and replies come between turns only.
    await turn()
  }
  process.send({ counts: [...counts], checks, allowed }, () => process.exit())
}

function random(seed) {
  let state = seed % 2147483647 || 1
  return () => (state = (state * 48271) % 2147483647) / 2147483647
}
