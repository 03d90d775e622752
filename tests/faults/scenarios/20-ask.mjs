// Slots move slowly, key by key, under load: a call on a key that has moved already is sent to its new node, and the reply
// reaches no other caller.

import { startCluster } from '../../../__test__/support/cluster.mjs'
import { scenario } from '../scenario.mjs'
import { moveSlotsUnderLoad } from '../topologies/slot-load.mjs'

export default scenario({ number: 20, name: 'ASK during load', engine: 'none', short: true }, async (t) => {
  const cluster = await startCluster({ nodeTimeoutMs: 30_000 })
  await moveSlotsUnderLoad(t, cluster, { seconds: 4, count: 32, pause: 15 })
})
