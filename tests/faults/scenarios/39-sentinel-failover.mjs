// The primary that sentinels watch is killed, then its successor hangs, under 200 calls/s of INCR and GET.

import { startSentinels } from '../../../__test__/support/sentinel.mjs'
import { scenario } from '../scenario.mjs'
import { promoted } from '../topologies/election.mjs'
import { LOAD, others, outage } from '../topologies/outage.mjs'
import { fromSentinels } from '../topologies/read.mjs'

export default scenario({ number: 39, name: 'Sentinel fail-over', engine: 'none', limitMs: 90_000 }, async (t) => {
  const group = await startSentinels({ leaders: 1 })
  t.readCounter = fromSentinels(group)
  const service = await t.service({ url: group.url, timeoutMs: 1000 })
  const othersWork = await others(t, service)
  const load = await t.load({ service, ...LOAD })
  await t.sleep(500)
  t.check(load.failed === 0, 'calls failed before there was any fault')

  const faults = [
    ['primary killed', (server) => server.kill(), (server) => server.start()],
    ['primary silent', (server) => server.pause(), (server) => server.resume()],
  ]
  for (const [what, fault, end] of faults) {
    const primary = await group.primary()
    await outage(t, {
      load,
      what,
      fault: () => fault(primary),
      election: (since) => promoted(group, primary, { key: 'probe', since }),
    })
    await othersWork()
    const failed = load.failed
    await end(primary)
    await group.ready()
    t.check(load.failed === failed, `${what}: calls failed when the former primary came back`)
  }
  await load.stop()
})
