// Replies come at one byte a second: calls end by their deadline instead of waiting for the rest, and it heals.

import { scenario } from '../scenario.mjs'

export default scenario({ number: 8, name: 'replies at one byte a second' }, async (t) => {
  const service = await t.service({ timeoutMs: 1000 })
  const load = await t.load({ service, rate: 100 })
  await t.sleep(300)
  await t.proxy.drip({ ms: 1000 })
  await t.sleep(4000)
  await t.heal()
  await t.healed(service)
  await t.sleep(500)
  await load.stop()
})
