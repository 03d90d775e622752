// The route is gone under 1,000 calls a second: noticed within 5 s, memory bounded, and at full speed 2 s after it is back.

import { scenario } from '../scenario.mjs'

export default scenario(
  { number: 5, name: 'silent under 1,000 calls/s', short: true, limitMs: 90_000, peakMb: 100 },
  async (t) => {
    const service = await t.service({})
    const load = await t.load({ service, rate: 1000 })
    await t.sleep(t.short ? 1000 : 5000)
    const before = performance.now()
    const silentAt = performance.timeOrigin + before
    await t.proxy.silent()
    await t.sleep(t.short ? 6000 : 20_000)
    const { connections } = await t.proxy.counters()
    const open = connections.filter((one) => one.openedAt < silentAt && (one.closedAt ?? Infinity) > silentAt)
    const closed = open.filter((one) => one.closedBy === 'client')
    const found = Math.max(...closed.map((one) => one.closedAt)) - silentAt
    t.check(
      closed.length === open.length,
      `${open.length - closed.length} of ${open.length} silent connections are kept`,
    )
    t.check(closed.length === 0 || found <= 5000, `found after ${Math.round(found)} ms`)
    t.note(`found after ${Math.round(found)} ms`)

    await t.heal()
    const healedAt = performance.now()
    await t.healed(service)
    await t.sleep(3000)
    await load.stop()
    const full = load.between(healedAt + 2000, healedAt + 3000)
    t.check(full.failed === 0 && full.ok > 900, `2 s after it is back: ${full.ok} of ${full.made} answered`)
    t.checkSaid(service, 'lost')
  },
)
