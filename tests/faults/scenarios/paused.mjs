// What both lengths of a hanging server have in common.

import { scenario } from '../scenario.mjs'

export function paused({ seconds, short }) {
  const about = { number: 7, name: `server paused for ${seconds} s`, short, limitMs: 60_000 + seconds * 1000 }
  return scenario(about, async (t) => {
    const service = await t.service({ timeoutMs: 1000 })
    const load = await t.load({ service, rate: 300 })
    await t.sleep(500)
    t.server.pause()
    await t.sleep(seconds * 1000)
    await t.heal(() => t.server.resume())
    await t.healed(service)
    await t.sleep(1000)
    await load.stop()
    t.check(load.between(0).failed > 0, 'a server that hung was not noticed')
  })
}
