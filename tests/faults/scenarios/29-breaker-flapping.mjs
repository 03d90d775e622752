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

  const count = (type) => t.events.filter((event) => event.type === type).length
  const [opened, dials] = [count('breaker-open'), (await t.proxy.counters()).dials.length]
  t.note(`${turns} turns in ${seconds.toFixed(1)} s: opened ${opened} times, ${dials} connections, ${load.ok} answered`)
  // Once while the server was away, and once more at most when it was tried and had gone again.
  t.check(opened <= turns, `it opened ${opened} times in ${turns} turns`)
  t.check(load.ok > 0 && load.failed > 0, `${load.ok} answered, ${load.failed} failed`)
  t.check(dials <= turns * 3, `${dials} connections in ${turns} turns`)
  const after = load.between(healedAt + 200)
  t.check(after.failed === 0, `${after.failed} of ${after.made} calls failed after it had healed`)
  t.checkSaid(service, 'breaker-open')
  t.checkSaid(service, 'breaker-closed')
})
