// The server has no memory left: writes say so, reads go on, no connection is lost over it.

import { scenario } from '../scenario.mjs'

export default scenario({ number: 16, name: 'OOM', short: true }, async (t) => {
  const service = await t.service({ timeoutMs: 1000 })
  const load = await t.load({ service, rate: 200, mix: { get: 1 } })
  const { ever } = await t.proxy.counters()
  await t.server.command('CONFIG', 'SET', 'maxmemory', '1')
  for (let i = 0; i < 50; i++) await t.fails(service, 'a write', () => service.set('k', 'v'), 'E_OUT_OF_MEMORY')
  t.check(load.failed === 0, `${load.failed} reads failed`)
  await t.heal(() => t.server.command('CONFIG', 'SET', 'maxmemory', '0'))
  await t.healed(service, { ask: (service) => service.set('k', 'v') })
  await load.stop()
  t.check(load.failed === 0, `${load.failed} reads failed`)
  t.check((await t.proxy.counters()).ever <= ever + 1, 'it reconnected because of a reply')
})
