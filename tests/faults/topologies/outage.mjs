// A primary that fails under a steady load of INCR and GET: how long callers were without it, beside how long the servers
// took to agree on another one.

import { setTimeout as sleep } from 'node:timers/promises'

/** So much later than the servers themselves the client may be. */
export const GRACE_MS = 1000

/** The load of every fail-over proof: 200 calls/s, INCR and GET by turns. */
export const LOAD = { rate: 200, keys: 60, mix: { incr: 1, get: 1 } }

/**
 * Injects the fault and checks that no call fails which was made later than `GRACE_MS` after the election. `election(since)`
 * resolves to `{ ms, server }`. Returns that result.
 */
export async function outage(t, { load, what, fault, election }) {
  const since = performance.now()
  await fault()
  const elected = await election(since)
  const over = since + elected.ms + GRACE_MS
  // As long again, so that a call that fails late has time to.
  await sleep(Math.max(0, over + GRACE_MS - performance.now()))
  const now = performance.now()
  let last = since
  for (let at = since; at < now; at += 100) if (load.between(at, at + 100).failed > 0) last = at + 100
  const { made, failed } = load.between(over, now)
  t.note(`${what}: elected after ${Math.round(elected.ms)} ms, calls failed until ${Math.round(last - since)} ms`)
  t.check(made > 0, `${what}: no call was made after the election`)
  t.check(failed === 0, `${what}: ${failed} of ${made} calls failed later than ${GRACE_MS} ms after the election`)
  t.healMs = Math.max(t.healMs ?? 0, last - since - elected.ms)
  return elected
}

/** What must work again after a fail-over besides plain commands: scripts, which no new primary knows, and messages. */
export async function others(t, service) {
  const limiter = new t.cinnabar.RateLimiter(service)
  const seen = []
  await service.subscribe('news', (value) => seen.push(value), { onGap: () => {} })
  let rounds = 0
  const check = async () => {
    rounds++
    for (let n = 0; n < 12; n++) {
      await t.call(service, 'limit', () => limiter.checkRateLimit(`who${n}`, 100, 600), {
        right: ({ source, remaining }) => source === 'store' && remaining === 100 - rounds,
      })
    }
    await t.until('messages come', async () => {
      await t.call(service, 'publish', () => service.publish('news', rounds))
      return seen.includes(rounds)
    })
  }
  await check()
  return check
}
