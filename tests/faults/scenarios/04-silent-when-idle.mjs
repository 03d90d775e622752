// The route to the server is lost while there are no calls: found within 15 s with the defaults, within 3 s when it pings every 500 ms.

import { scenario } from '../scenario.mjs'

export default scenario({ number: 4, name: 'silent when idle', limitMs: 90_000 }, async (t) => {
  const defaults = await t.service({})
  await defaults.set('k', 'v')
  const eager = await t.service({ keepAliveMs: 500 })
  await eager.set('k', 'v')

  await t.proxy.silent()
  const at = performance.now()
  const found = async (name, service, most) => {
    await t.until(`${name}: it was found`, () => !service.isConnected, { withinMs: most })
    t.note(`${name}: found after ${Math.round(performance.now() - at)} ms`)
  }
  await Promise.all([found('keepAliveMs: 500', eager, 3000), found('defaults', defaults, 15_000)])
  await t.heal()
  await t.healed(defaults)
  await t.healed(eager)
  t.checkSaid(defaults, 'lost')
  t.checkSaid(defaults, 'connected')
  await t.nothingKept(at)
})
