// A server that comes and goes every few hundred ms: the breaker follows it no faster than its settings say, every call ends in
// time, and nothing is worn out by it.

import { becomes } from '../breaker.mjs'
import { scenario } from '../scenario.mjs'

const breaker = { openMs: 300, volume: 5, windowMs: 1000, errorRate: 0.2 }

export default scenario({ number: 29, name: 'breaker: flapping', short: true }, async (t) => {
  const service = await t.service({ breaker, timeoutMs: 1000, connectWaitMs: 200 })
  const load = await t.load({ service, rate: 300 })
  const from = performance.now()
  const lasting = t.short ? 4000 : 20_000
  let turns = 0
  while (performance.now() < from + lasting) {
    if (turns++ % 2) {
      await t.proxy.heal()
    } else {
      await t.proxy.refuse()
      await t.proxy.reset()
    }
    await t.sleep(100 + 300 * t.random())
  }
  const seconds = (performance.now() - from) / 1000
  await t.heal()
  await t.healed(service, { withinMs: 2000 })
  const healedAt = performance.now()
  await becomes(t, service, 'closed', 2000)
  await t.sleep(1000)
  await load.stop()

  const opened = t.events.filter(({ type }) => type === 'breaker-open').map(({ at }) => Date.parse(at))
  const early = opened.filter((at, n) => at - opened[n - 1] < breaker.openMs).length
  const dials = (await t.proxy.counters()).dials.length
  const [times, counts] = [
    `opened ${opened.length} times, ${early} early`,
    `${dials} connections, ${load.ok} fulfilled`,
  ]
  t.note(`${turns} turns in ${seconds.toFixed(1)} s: ${times}, ${counts}`)
  // Only a new connection has the server tried before openMs is over, once: what it replies may close the breaker, and the next
  // failures open it again.
  t.check(early <= dials, `it opened ${early} times before ${breaker.openMs} ms were over, with ${dials} connections`)
  t.check(load.ok > 0 && load.failed > 0, `${load.ok} fulfilled, ${load.failed} failed`)
  t.check(dials <= turns * 3, `${dials} connections in ${turns} turns`)
  const after = load.between(healedAt + 200)
  t.check(after.failed === 0, `${after.failed} of ${after.made} calls failed after it had healed`)
  t.checkSaid(service, 'breaker-open')
  t.checkSaid(service, 'breaker-closed')
})
