// All sentinels but one come back at other addresses, one that was cut off still names the former primary, and then the
// primary dies.

import { startSentinels } from '../../../__test__/support/sentinel.mjs'
import { scenario } from '../scenario.mjs'
import { promoted } from '../topologies/election.mjs'
import { LOAD, outage } from '../topologies/outage.mjs'
import { fromSentinels } from '../topologies/read.mjs'

export default scenario({ number: 18, name: 'sentinels moved, one stale', engine: 'none' }, async (t) => {
  const group = await startSentinels()
  t.readCounter = fromSentinels(group)
  const former = await group.primary()
  await group.failover()
  await group.ready()
  const stale = await group.startStaleSentinel(former)
  const url = group.urlOf([stale, ...group.sentinels])

  const service = await t.service({ url, timeoutMs: 1000 })
  const [role] = await service.getClient().sendCommand(['ROLE'])
  t.check(role === 'master', `what the stale sentinel named was believed: it is a ${role}`)
  const load = await t.load({ service, ...LOAD })
  const [survivor, ...others] = group.sentinels
  for (const sentinel of others) await group.restartSentinel(sentinel)
  await group.ready()
  t.check(load.failed === 0, 'calls failed while only sentinels came and went')

  const primary = await group.primary()
  const { server } = await outage(t, {
    load,
    what: 'primary killed',
    fault: () => primary.kill(),
    election: (since) => promoted(group, primary, { key: 'probe', since }),
  })
  // The stale sentinel's word must not be taken again either, when connections have to be made anew.
  t.check((await stale.primaryPort()) === former.port, 'the stale sentinel has learned')
  const fresh = await t.service({ url: group.urlOf([stale, survivor]), timeoutMs: 1000 })
  await t.call(fresh, 'set', () => fresh.set('fresh', 'yes'), { right: (value) => value === 'OK' })
  t.check((await server.command('GET', 'fresh')) === 'yes', 'a write went to another server')
  await load.stop()
})
