// Connections are accepted and never spoken to: calls end in time, those on connections that stand go on, and it heals.

import { scenario } from '../scenario.mjs'

export default scenario({ number: 12, name: 'accepted, then no handshake', short: true }, async (t) => {
  const settled = await t.service({ timeoutMs: 1000 })
  await t.proxy.acceptSilent()
  const load = await t.load({ service: settled, rate: 500 })
  // Its own settings, so that it has connections of its own.
  const late = await t.service({ connect: false, timeoutMs: 500, connectTimeoutMs: 1000, db: 1 })
  const wanted = ['E_UNAVAILABLE', 'E_NOT_SENT']
  await t.fails(late, 'a call without a handshake', () => late.get('k'), wanted)
  await t.fails(
    late,
    'connect without a handshake',
    () => late.connect(),
    ['E_UNAVAILABLE', 'E_NOT_SENT', 'E_TIMEOUT'],
    { timeoutMs: 1000 },
  )
  await t.sleep(1000)
  t.check(load.failed === 0, `${load.failed} calls failed on a connection that stood`)
  await t.heal()
  await t.healed(late)
  await load.stop()
})
