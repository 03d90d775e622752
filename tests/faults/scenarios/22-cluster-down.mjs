// A cluster that refuses every call because a slot is without a node, and keys of one slot that lie on two nodes for a while.

import { startCluster } from '../../../__test__/support/cluster.mjs'
import { scenario } from '../scenario.mjs'
import { countErrors } from '../topologies/slot-moves.mjs'
import { fromCluster } from '../topologies/read.mjs'

const REFUSED = ['E_UNAVAILABLE', 'E_NOT_SENT']

export default scenario({ number: 22, name: 'CLUSTERDOWN, TRYAGAIN', engine: 'none', short: true }, async (t) => {
  const cluster = await startCluster({ nodeTimeoutMs: 1000 })
  t.readCounter = fromCluster(cluster)
  const service = await t.service({ url: cluster.url, timeoutMs: 1000 })
  const client = service.getClient()
  const [first, second, third] = cluster.nodes
  const slot = cluster.firstSlots[0] + 3
  const keys = ['a', 'b', 'c'].map((name) => cluster.keyIn(slot, name))
  const values = keys.map((key) => `${key}=1`)
  const mget = (right) => t.call(service, 'mget', () => client.mGet(keys), { right })
  for (const [n, key] of keys.entries()) await service.set(key, values[n])

  // Divided for a while: the call waits and is fulfilled in full.
  await cluster.begin(slot, first, second)
  await cluster.moveKey(keys[0], first, second)
  // Time for the keys to move.
  const patient = client.with({ timeoutMs: 10_000 })
  const whole = { right: (result) => result.join() === values.join(), timeoutMs: 10_000 }
  const divided = t.call(service, 'mget', () => patient.mGet(keys), whole)
  const sentAway = async () => (await countErrors(cluster, 'TRYAGAIN')) + (await countErrors(cluster, 'ASK'))
  await t.until('the server sent it away', async () => (await sentAway()) > 0)
  for (const key of keys.slice(1)) await cluster.moveKey(key, first, second)
  await cluster.settle(slot, first, second)
  const { error } = await divided
  t.check(!error, `a call on a slot that was divided for a moment failed: ${error?.message}`)

  // Divided for good: the call ends with its deadline, and says that nothing was done.
  await cluster.begin(slot, second, first)
  await cluster.moveKey(keys[1], second, first)
  await t.fails(
    service,
    'mSet of a divided slot',
    () => client.mSet(Object.fromEntries(keys.map((key) => [key, 'new']))),
    [...REFUSED, 'E_TIMEOUT'],
  )
  await t.call(service, 'get', () => service.get(keys[1]), { right: (value) => value === values[1] })
  for (const key of [keys[0], keys[2]]) await cluster.moveKey(key, second, first)
  await cluster.settle(slot, second, first)
  await mget((result) => result.join() === values.join())

  const load = await t.load({ service, rate: 200 })
  load.mayVanish()
  await cluster.kill(third)
  await t.until('the cluster is down', async () =>
    (await first.command('CLUSTER', 'INFO')).includes('cluster_state:fail'),
  )
  const down = await t.fails(service, 'set', () => service.set(keys[0], 'down'), REFUSED)
  t.check(down?.retryable === true, 'a cluster that is down is nothing to try again')
  await t.heal(async () => {
    await cluster.start(third)
    await cluster.ready()
  })
  await t.healed(service, { withinMs: 5000, ask: () => service.set(keys[0], values[0]) })
  await mget((result) => result.join() === values.join())
  await load.stop()
})
