// One node of a cluster is dead, then one is silent, and calls keep asking for both: callers of the other nodes notice nothing.
//
// FAULTS_SECONDS says how long each lasts; 30 by default.

import { startCluster } from '../../../__test__/support/cluster.mjs'
import { scenario } from '../scenario.mjs'

const SECONDS = Number(process.env.FAULTS_SECONDS ?? 30)
/** Below this a percentile measures the machine, not the client. */
const FLOOR_MS = 10
const RATE = 300

const about = { number: 21, name: 'one node dead, one silent', engine: 'none', limitMs: (40 + 3 * SECONDS) * 1000 }

export default scenario(about, async (t) => {
  const cluster = await startCluster({ fullCoverage: false })
  const service = await t.service({ url: cluster.url, timeoutMs: 1000 })
  const keysOf = (node) =>
    Array.from({ length: 20 }, (_, n) => cluster.keyIn(cluster.firstSlots[cluster.nodes.indexOf(node)] + n))
  for (const node of cluster.nodes) for (const key of keysOf(node)) await service.set(key, `${key}=1`)

  const baseline = await percentile99(t, service, cluster.nodes.flatMap(keysOf), 3)
  const allowed = Math.max(2 * baseline, FLOOR_MS)
  t.note(`99th percentile ${baseline.toFixed(1)} ms with all nodes`)
  for (const [what, node, fault, end] of [
    ['dead', cluster.nodes[0], () => cluster.kill(cluster.nodes[0]), () => cluster.start(cluster.nodes[0])],
    ['silent', cluster.nodes[1], () => cluster.pause(cluster.nodes[1]), () => cluster.resume(cluster.nodes[1])],
  ]) {
    await fault()
    const away = await steadily(t, service, keysOf(node), 100, 'away')
    const others = cluster.nodes.filter((other) => other !== node).flatMap(keysOf)
    const found = await percentile99(t, service, others, SECONDS)
    await away.stop()
    t.note(`${found.toFixed(1)} ms with one ${what}`)
    t.check(found < allowed, `${what}: the others' 99th percentile went from ${baseline} to ${found} ms`)
    await t.heal(async () => {
      await end()
      await cluster.ready()
    })
    // A server that was killed comes back empty.
    await t.healed(service, { withinMs: 5000, ask: () => service.set(keysOf(node)[0], `${keysOf(node)[0]}=1`) })
    for (const key of keysOf(node)) await service.set(key, `${key}=1`)
  }
})

/** The 99th percentile of calls that must all be fulfilled. */
async function percentile99(t, service, keys, seconds) {
  const load = await steadily(t, service, keys, RATE, 'other nodes')
  await t.sleep(seconds * 1000)
  const { times, failed } = await load.stop()
  t.check(failed === 0, `${failed} calls to other nodes failed`)
  times.sort((a, b) => a - b)
  return times[Math.floor(times.length * 0.99)]
}

/** So many GETs a second of these keys in turn, whether or not earlier ones have settled. */
function steadily(t, service, keys, rate, name) {
  const calls = []
  const began = performance.now()
  const timer = setInterval(() => {
    for (const due = ((performance.now() - began) * rate) / 1000; calls.length < due;) {
      const key = keys[calls.length % keys.length]
      const right = (value) => value === `${key}=1` || (name === 'away' && value === null)
      calls.push(t.call(service, `${name}: get ${key}`, () => service.get(key), { right }))
    }
  }, 5)
  return {
    async stop() {
      clearInterval(timer)
      const ended = await Promise.all(calls)
      return { times: ended.map(({ ms }) => ms), failed: ended.filter(({ error }) => error).length }
    },
  }
}
