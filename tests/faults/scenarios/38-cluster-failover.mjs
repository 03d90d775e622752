// A primary of a cluster is killed, then another one hangs, under 200 calls/s of INCR and GET.

import { startCluster } from '../../../__test__/support/cluster.mjs'
import { scenario } from '../scenario.mjs'
import { elected } from '../topologies/election.mjs'
import { LOAD, others, outage } from '../topologies/outage.mjs'
import { fromCluster } from '../topologies/read.mjs'

export default scenario({ number: 38, name: 'cluster fail-over', engine: 'none' }, async (t) => {
  const cluster = await startCluster({ replicas: 1 })
  t.readCounter = fromCluster(cluster)
  const service = await t.service({ url: cluster.url, timeoutMs: 1000 })
  const othersWork = await others(t, service)
  const load = await t.load({ service, ...LOAD })
  await t.sleep(500)
  t.check(load.failed === 0, 'calls failed before there was any fault')

  const faults = [
    ['primary killed', 0, (node) => cluster.kill(node), (node) => cluster.start(node)],
    ['primary silent', 1, (node) => cluster.pause(node), (node) => cluster.resume(node)],
  ]
  for (const [what, index, fault, end] of faults) {
    const slot = cluster.firstSlots[index]
    const primary = await cluster.nodeOf(slot)
    const replicas = await cluster.replicasOf(primary)
    await outage(t, {
      load,
      what,
      fault: () => fault(primary),
      election: (since) => elected(replicas, { key: cluster.keyIn(slot, 'probe'), since }),
    })
    await othersWork()
    const failed = load.failed
    await end(primary)
    await cluster.ready()
    await t.sleep(500)
    t.check(load.failed === failed, `${what}: calls failed when the former primary came back`)
  }
  await load.stop()
})
