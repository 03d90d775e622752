// Returns take 2 s all at once: they still come, so only their slowness can open the breaker; calls then fail at once instead
// of after 2 s, and once replies are quick again it closes.

import { becomes } from '../breaker.mjs'
import { scenario } from '../scenario.mjs'

export default scenario({ number: 11, name: 'latency 0 → 2 s', short: true }, async (t) => {
  const windowMs = t.short ? 1000 : 5000
  const service = await t.service({ breaker: { windowMs } })
  const load = await t.load({ service, rate: 200 })
  await t.sleep(500)
  t.check(load.failed === 0, 'calls failed before the fault')

  const at = performance.now()
  await t.proxy.delay({ ms: 2000 })
  await becomes(t, service, 'open', windowMs + 5000)
  const openAt = performance.now()
  t.note(`open after ${Math.round(openAt - at)} ms`)
  // What was in flight has settled 2 s later; what came since was refused.
  await t.sleep(3000)
  const since = load.between(openAt + 100, openAt + 1000)
  t.check(since.made > 100 && since.ok === 0, `${since.ok} of ${since.made} calls were let through an open breaker`)
  const slowest = since.slowest - t.lateBetween(openAt + 100, openAt + 1000 + since.slowest)
  t.check(slowest < 100, `an open breaker took ${Math.round(slowest)} ms to refuse a call`)
  t.check(load.codes.E_UNAVAILABLE > 0, `calls were refused as ${JSON.stringify(load.codes)}`)

  await t.heal()
  const healedAt = performance.now()
  await t.healed(service, { withinMs: 3000 })
  await t.sleep(1000)
  await load.stop()
  const after = load.between(healedAt + t.healMs + 200)
  t.check(after.ok > 100 && after.failed === 0, `after it had healed, ${after.failed} of ${after.made} calls failed`)
  t.checkSaid(service, 'breaker-open')
  t.checkSaid(service, 'breaker-half-open')
  t.checkSaid(service, 'breaker-closed')
})
