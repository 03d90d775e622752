// 30 s of 1,000 calls a second, with a route that is gone in the middle of them: found within 5 s, after that no call waits for
// nothing, memory stays bounded, and 2 s after it is back all calls succeed again.

import { scenario } from '../scenario.mjs'

export default scenario(
  { number: 40, name: '30 s of 1,000 calls/s, silent amid', short: true, limitMs: 90_000, peakMb: 100 },
  async (t) => {
    const service = await t.service({})
    const [before, silent, after] = t.short ? [1000, 6000, 3000] : [5000, 15_000, 10_000]
    const begun = performance.now()
    const load = await t.load({ service, rate: 1000 })
    await t.sleep(before)
    t.check(load.failed === 0, `${load.failed} calls failed before the fault`)

    const at = performance.now()
    await t.proxy.silent()
    await t.until('it was found', () => !service.isConnected, { withinMs: 5000 })
    t.note(`found after ${Math.round(performance.now() - at)} ms`)
    await t.sleep(at + silent - performance.now())
    const waiting = t.calls.pending.size
    t.note(`${waiting} calls wait at the end of the silence`)
    // No call waits longer than its deadline; with the breaker open, no call waits at all.
    t.check(waiting <= (t.short ? 5000 : 100), `${waiting} calls wait for nothing`)

    await t.heal()
    const healedAt = performance.now()
    await t.healed(service, { withinMs: 2000 })
    await t.sleep(healedAt + after - performance.now())
    await load.stop()
    const full = load.between(healedAt + 2000, healedAt + after)
    t.check(full.failed === 0, `${full.failed} of ${full.made} calls failed later than 2 s after it was back`)
    const rate = (full.ok / (after - 2000)) * 1000
    t.check(rate > 900, `${Math.round(rate)} calls/s succeeded after it was back`)
    t.note(`${t.calls.count} calls in ${Math.round((performance.now() - begun) / 1000)} s`)
    t.checkSaid(service, 'lost')
    t.checkSaid(service, 'connected')
    await t.nothingKept(at)
  },
)
