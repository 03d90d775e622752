// The route is gone under 1,000 calls a second: noticed within 5 s, memory bounded, and at full speed 2 s after it is back.

import { scenario } from '../scenario.mjs'

export default scenario(
  { number: 5, name: 'silent under 1,000 calls/s', short: true, limitMs: 90_000, peakMb: 100 },
  async (t) => {
    const service = await t.service({})
    const load = await t.load({ service, rate: 1000 })
    await t.sleep(t.short ? 1000 : 5000)
    const at = performance.now()
    await t.proxy.silent()
    await t.until('it was found', () => !service.isConnected, { withinMs: 5000 })
    t.note(`found after ${Math.round(performance.now() - at)} ms`)
    await t.sleep((t.short ? 5000 : 22_000) - (performance.now() - at))

    await t.heal()
    const healedAt = performance.now()
    await t.healed(service, { withinMs: 2000 })
    await t.sleep(healedAt + 3000 - performance.now())
    await load.stop()
    const full = load.between(healedAt + 2000, healedAt + 3000)
    t.check(full.failed === 0 && full.ok > 900, `2 s after it is back: ${full.ok} of ${full.made} fulfilled`)
    t.checkSaid(service, 'lost')
    await t.nothingKept(at)
  },
)
