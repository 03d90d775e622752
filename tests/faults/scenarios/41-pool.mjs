// One connection while that is enough, more when replies block each other, never more than poolSize, and those that no call
// needs any more are closed.

import { scenario } from '../scenario.mjs'

const SIZE = 8 << 20
const POOL = 3
/** Replies that take so long are blocked: another connection is made, whichever call blocked them. */
const HELD_UP = 20
const TIMEOUT = 10_000
/** For so long a further connection must not have been needed. */
const SPARE = 60_000

export default scenario({ number: 41, name: 'pool', short: true, limitMs: 150_000, lagMs: 100 }, async (t) => {
  const service = await t.service({ poolSize: POOL, timeoutMs: TIMEOUT, keepAliveMs: 1000 })
  const open = async () => (await t.proxy.counters()).open
  // Calls on one key share a connection.
  const bigs = Array.from({ length: 8 }, (_, n) => `big:${n}`)
  for (const big of bigs) await t.server.command('SETRANGE', big, SIZE - 1, 'z')
  const load = await t.load({ service, rate: 200 })
  await t.sleep(500)
  const longest = t.calls.slowest + TIMEOUT
  t.note(`small calls took ${longest.toFixed(1)} ms at most`)
  t.check((await open()) === 1 || longest >= HELD_UP, `${await open()} connections for 200 small calls a second`)

  let most = 0
  let looking = true
  const look = async () => {
    while (looking) {
      most = Math.max(most, await open())
      await t.sleep(5)
    }
  }
  const reads = look()
  const right = (value) => value.length === SIZE
  const loops = bigs.map(async (big) => {
    while (looking) await t.call(service, 'get 8 MB', () => service.get(big), { right })
  })
  await t.until(`there are ${POOL} connections`, () => most >= POOL)
  // As long again, in which a further one could be made that must not be.
  await t.sleep(t.short ? 500 : 3000)
  looking = false
  await Promise.all([reads, ...loops])
  t.note(`${most} connections at most`)
  t.check(most === POOL, `${most} connections at most, with a poolSize of ${POOL}`)
  t.check(load.failed === 0, `${load.failed} small calls failed beside large ones`)
  await load.stop()
  const { ever } = await t.proxy.counters()
  t.check(ever === POOL, `${ever} connections were made for a pool of ${POOL}`)
  if (t.short) return

  // A steady trickle needs one connection only.
  const trickle = await t.load({ service, rate: 5, name: 'trickle' })
  const at = performance.now()
  await t.until('spare connections are closed', async () => (await open()) === 1, { withinMs: SPARE + 10_000 })
  const after = performance.now() - at
  t.note(`spare ones closed after ${Math.round(after / 1000)} s`)
  t.check(after > SPARE - 5000, `spare connections were closed after ${Math.round(after / 1000)} s already`)
  await trickle.stop()
  t.check(trickle.failed === 0, `${trickle.failed} calls failed when spare connections were closed`)
})
