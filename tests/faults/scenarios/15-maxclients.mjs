// The server takes no more clients: existing connections go on, new ones are refused with the reason, and it heals when there is room.

import { once } from 'node:events'
import { createConnection } from 'node:net'

import { scenario } from '../scenario.mjs'

export default scenario({ number: 15, name: 'too many clients', short: true }, async (t) => {
  const service = await t.service({ timeoutMs: 1000 })
  const load = await t.load({ service, rate: 200 })
  // One that stays connected can change the bound while no other client gets in.
  const inside = createConnection(t.server.port, '127.0.0.1')
  const allow = async (clients) => {
    inside.write(`CONFIG SET maxclients ${clients}\r\n`)
    const [result] = await once(inside, 'data')
    t.check(/^\+OK/.test(result), `maxclients ${clients}: ${result}`)
  }
  await allow(1)
  await t.sleep(500)
  t.check(load.failed === 0, `${load.failed} calls failed on a connection that stood`)
  await t.proxy.reset()
  await t.sleep(300)
  const error = await t.fails(service, 'a call without a place', () => service.get('k'), [
    'E_UNAVAILABLE',
    'E_NOT_SENT',
  ])
  t.check(/max number of clients/i.test(error?.message), `it does not say why: ${error?.message}`)
  await t.heal(() => allow(1000))
  await t.healed(service)
  await load.stop()
  inside.destroy()
})
