// Half a reply, then nothing more on that connection: it is given up within 5 s under load, and others work meanwhile.

import { scenario } from '../scenario.mjs'

export default scenario({ number: 9, name: 'half a frame, then nothing', short: true }, async (t) => {
  const service = await t.service({ timeoutMs: 1000 })
  await service.set('long', 'y'.repeat(1000))
  const load = await t.load({ service, rate: 200 })
  await t.sleep(300)
  await t.proxy.stallReply({ match: /^GET long/, bytes: 500 })
  await t.call(service, 'the half reply', () => service.get('long'), { right: (value) => value === 'y'.repeat(1000) })
  await t.proxy.fired(1)
  t.over()
  await t.healed(service)
  const closed = async () => (await t.proxy.counters()).connections.find((one) => one.closedBy === 'client')
  await t.until('the stalled connection was given up', closed, { withinMs: 5000 })

  // Half a request, whose other half comes when no call waits for its reply any more: applied once, and flagged.
  await t.server.command('SET', 'late', '0')
  const client = service.getClient()
  await t.proxy.stallRequest({ match: /^INCR late/, bytes: 10 })
  await t.fails(service, 'half a request', () => client.incr('late'), 'E_MAYBE_APPLIED')
  await t.heal()
  await t.healed(service)
  await load.stop()
  const late = await t.server.command('GET', 'late')
  t.check(late === '0' || late === '1', `it was applied ${late} times`)
})
