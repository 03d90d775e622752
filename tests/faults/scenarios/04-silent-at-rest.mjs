// The route to the server is gone while nobody calls: found within 15 s with the defaults, within 2 s when asked to look every 500 ms.

import { scenario } from '../scenario.mjs'

export default scenario({ number: 4, name: 'silent at rest', limitMs: 90_000 }, async (t) => {
  const usual = await t.service({})
  await usual.set('k', 'v')
  const before = await t.proxy.counters()
  const eager = await t.service({ keepAliveMs: 500 })
  await eager.set('k', 'v')

  const silentAt = performance.timeOrigin + performance.now()
  await t.proxy.silent()
  const found = async (from, to) => {
    const { connections } = await t.proxy.counters()
    return connections.slice(from, to).find((one) => one.closedBy === 'client')?.closedAt
  }
  const soon = () => found(before.ever)
  await t.until('the eager service noticed', soon, { withinMs: 3000 })
  const late = () => found(0, before.ever)
  await t.until('the usual service noticed', late, { withinMs: 15_000 })
  for (const [name, ask, most] of [
    ['keepAliveMs: 500', soon, 2000],
    ['defaults', late, 15_000],
  ]) {
    const ms = ((await ask()) ?? Infinity) - silentAt
    t.note(`${name}: found after ${Math.round(ms)} ms`)
    t.check(ms <= most, `${name}: found after ${Math.round(ms)} ms, not ${most}`)
  }
  await t.heal()
  await t.healed(usual)
  await t.healed(eager)
  t.checkSaid(usual, 'lost')
  t.checkSaid(usual, 'connected')
})
