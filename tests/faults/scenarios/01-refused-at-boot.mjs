// No server listens when the service is made: making it dials nothing, calls fail in time with a code that says nothing was sent, and
// it heals by itself. (That `next build` works without a server is a test of __test__/runtimes.)

import { scenario } from '../scenario.mjs'

export default scenario({ number: 1, name: 'refused at boot', short: true }, async (t) => {
  const early = await t.service({ connect: false, timeoutMs: 1001 })
  await t.sleep(100)
  t.check((await t.proxy.counters()).ever === 0, 'making a service dialled')
  t.check(early.isConnected === false, 'it says it is connected before it is')

  await t.proxy.refuse()
  const service = await t.service({ connect: false, timeoutMs: 1000 })
  const error = await t.fails(service, 'the first call', () => service.set('k', 'v'), ['E_UNAVAILABLE', 'E_NOT_SENT'])
  t.check(error?.retryable === true, 'the failure of a call that was never sent is not retryable')
  await t.fails(service, 'connect', () => service.connect(), 'E_UNAVAILABLE', { timeoutMs: 10_000 })
  const load = await t.load({ service, rate: 200, fill: false, mix: { get: 1, set: 1 } })
  await t.sleep(1500)
  const during = load.between(0)
  t.check(during.ok === 0, `${during.ok} calls were fulfilled without a server`)
  await t.heal()
  await t.healed(service)
  await load.stop()
  t.checkSaid(service, 'connected')
})
