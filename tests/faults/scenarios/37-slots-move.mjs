// The proof that slots may move under load: 3 nodes, 64 callers with values of their own, every result checked.
//
// FAULTS_SECONDS says how long; five minutes by default, a few seconds in the short form.

import { startCluster } from '../../../__test__/support/cluster.mjs'
import { scenario } from '../scenario.mjs'
import { moveSlotsUnderLoad } from '../topologies/slot-load.mjs'

const SECONDS = Number(process.env.FAULTS_SECONDS ?? 300)
const SHORT_SECONDS = 15

const about = { number: 37, name: 'slots move under 64 callers', engine: 'none', short: true }

export default scenario({ ...about, limitMs: (60 + SECONDS) * 1000 }, async (t) => {
  const cluster = await startCluster({ nodeTimeoutMs: 30_000 })
  await moveSlotsUnderLoad(t, cluster, { seconds: t.short ? SHORT_SECONDS : SECONDS })
})
