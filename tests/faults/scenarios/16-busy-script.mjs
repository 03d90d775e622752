// Another client's script blocks the server: calls say so in time, and it heals when the script is gone.

import { createConnection } from 'node:net'

import { scenario } from '../scenario.mjs'

const args = ['--lua-time-limit', 100]

export default scenario({ number: 16, name: 'BUSY script', short: true, server: { args } }, async (t) => {
  const service = await t.service({ timeoutMs: 1000, breaker: { openMs: 1000 } })
  // With the breaker's own 30 s it would take as long: no connection is made anew that would end them early.
  const load = await t.load({ service, rate: 200 })
  const busy = createConnection(t.server.port, '127.0.0.1')
  busy.on('error', () => {})
  busy.write('EVAL "while true do end" 0\r\n')
  await t.sleep(1000)
  const error = await t.fails(service, 'a call', () => service.get('k'), ['E_UNAVAILABLE', 'E_TIMEOUT'])
  t.check(/BUSY/.test(error?.message), `it does not say why: ${error?.message}`)
  await t.sleep(1000)
  await t.heal(() => t.server.command('SCRIPT', 'KILL'))
  busy.destroy()
  await t.healed(service)
  await load.stop()
  t.check(load.codes.E_SERVER === undefined, 'a server that is busy was taken for one that refuses')
})
