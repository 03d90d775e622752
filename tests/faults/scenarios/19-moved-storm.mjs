// A thousand calls in flight meet a node that no longer has their slots: all succeed on the one that has, and the map is
// asked for once per 100 ms at most.

import { startCluster } from '../../../__test__/support/cluster.mjs'
import { scenario } from '../scenario.mjs'
import { countErrors, countMaps, moveSlots } from '../topologies/slot-moves.mjs'

const CALLS = 1000
const EVERY_MS = 100

export default scenario({ number: 19, name: 'a thousand MOVED', engine: 'none', short: true }, async (t) => {
  const cluster = await startCluster({ replicas: 1 })
  const service = await t.service({ url: cluster.url, timeoutMs: 2000 })
  const slots = Array.from({ length: CALLS }, (_, n) => n)
  const keys = slots.map((slot) => cluster.keyIn(slot))
  const primary = await cluster.nodeOf(0)
  const [replica] = await cluster.replicasOf(primary)
  await Promise.all(keys.map((key) => t.call(service, 'set', () => service.set(key, `${key}=1`))))

  const get = (key) => t.call(service, `get ${key}`, () => service.get(key), { right: (value) => value === `${key}=1` })
  const gets = (some = keys) => Promise.all(some.map(get))
  const getting = async (some, signal) => {
    for (; !signal.aborted; await t.sleep(20)) await gets(some)
  }
  const bounded = async (what, action) => {
    await cluster.everywhere('CONFIG', 'RESETSTAT')
    const began = performance.now()
    await action()
    const took = performance.now() - began
    const [maps, moved] = [await countMaps(cluster), await countErrors(cluster, 'MOVED')]
    t.note(`${what}: ${moved} MOVED, ${maps} maps in ${Math.round(took)} ms`)
    t.check(moved > 0, `${what}: no call was sent away`)
    t.check(maps <= 1 + Math.floor(took / EVERY_MS), `${what}: the map was asked for ${maps} times in ${took} ms`)
  }

  await replica.command('CLUSTER', 'FAILOVER')
  await t.until('the primary follows its replica', async () => (await primary.command('ROLE'))[0] === 'slave')
  await bounded('all at once', gets)
  t.check(t.calls.ok === t.calls.count, 'a call failed although every slot had its node')

  await t.until('it has its copy', async () => (await primary.command('ROLE'))[3] === 'connected')
  await cluster.ready()
  await bounded('in flight', async () => {
    const ended = new AbortController()
    const reading = getting(keys, ended.signal)
    await primary.command('CLUSTER', 'FAILOVER')
    await t.until('the two have changed their roles again', async () => (await primary.command('ROLE'))[0] === 'master')
    await t.until('calls were sent away', async () => (await countErrors(cluster, 'MOVED')) > 0)
    // Calls go on afterwards, as elsewhere.
    await t.sleep(1000)
    ended.abort()
    await reading
  })

  const primaries = [primary, ...(await cluster.primaries()).filter((node) => node !== primary && node !== replica)]
  await bounded('one slot after the other', async () => {
    const signal = AbortSignal.timeout(2000)
    await Promise.all([
      getting(keys.slice(0, 200), signal),
      moveSlots(cluster, slots.slice(0, 200), { signal, keys: 10, primaries }),
    ])
  })
  t.check(t.calls.ok === t.calls.count, 'a call failed while slots moved')
})
