// A connection that is reset in the middle of a reply: reads are asked again, a write ends in E_MAYBE_APPLIED and is applied once.

import { scenario } from '../scenario.mjs'

export default scenario({ number: 3, name: 'reset in the middle of a reply', short: true }, async (t) => {
  const service = await t.service({ timeoutMs: 1000 })
  await service.set('key', 'a value of some length')
  await service.set('count', '0')
  const client = service.getClient()

  await t.proxy.cutReply({ match: /^GET key/, bytes: 'random' })
  await t.call(service, 'get', () => service.get('key'), { right: (value) => value === 'a value of some length' })
  await t.proxy.fired(1)

  await t.proxy.cutReply({ match: /^INCR count/, bytes: 'random' })
  await t.fails(service, 'incr', () => client.incr('count'), 'E_MAYBE_APPLIED')
  t.check((await t.server.command('GET', 'count')) === '1', 'the write was not applied exactly once')

  const load = await t.load({ service, rate: 300 })
  for (let round = 0; round < 10; round++) {
    await t.proxy.cutReply({ bytes: 'random', skip: Math.floor(t.random() * 20) })
    await t.sleep(100)
  }
  await t.heal()
  await t.healed(service)
  await load.stop()
  t.check(load.codes.E_TIMEOUT === undefined, `${load.codes.E_TIMEOUT} calls waited for a connection that was gone`)
})
