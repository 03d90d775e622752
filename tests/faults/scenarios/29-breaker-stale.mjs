// A call that was sent before the breaker opened succeeds after that: its reply settles its call, and closes nothing.

import { breakerOf } from '../breaker.mjs'
import { scenario } from '../scenario.mjs'

const RUN = `local from = redis.call('TIME')
  repeat
    local now = redis.call('TIME')
    local us = (now[1] - from[1]) * 1000000 + now[2] - from[2]
  until us > ARGV[1] * 1000
  return 'done'`

const about = { number: 29, name: 'breaker: stale success', short: true }

export default scenario({ ...about, server: { args: ['--lua-time-limit', '50'] } }, async (t) => {
  const breaker = { openMs: 5000, volume: 5, errorRate: 0.5, windowMs: 1000 }
  const service = await t.service({ breaker, poolSize: 2, retryAttempts: 0 })
  const client = service.getClient()
  const open = async () => (await t.proxy.counters()).open
  // A second connection, by which the server can still say that it is busy.
  await t.proxy.delay({ ms: 60 })
  await t.until('there are two connections', async () => {
    await Promise.all(Array.from({ length: 4 }, (_, i) => t.sleep(10 * i).then(() => service.get('k'))))
    return (await open()) === 2
  })
  await t.proxy.heal()
  await t.sleep(breaker.windowMs)

  const ms = 800
  const stale = t.call(service, 'a script', () => client.eval(RUN, 0, ms), { right: (value) => value === 'done' })
  await t.sleep(150)
  for (let i = 0; i < 6; i++) await t.fails(service, 'a call', () => service.get('k'), 'E_UNAVAILABLE')
  t.check((await breakerOf(service)) === 'open', 'five calls that failed did not open the breaker')
  const { error } = await stale
  t.check(!error, `the script that was sent before failed: ${error?.message}`)
  t.check((await breakerOf(service)) === 'open', 'a reply from before it opened closed the breaker')
  t.over()
  await t.fails(service, 'a call', () => service.get('k'), 'E_UNAVAILABLE')
  // The library sees by itself that the server responds again.
  await t.healed(service, { withinMs: 2000 })
})
