// `npm run near`: whether values cached near are ever staler than they may be.  npm run near -- --reads 10000000 --mode push,strict --engine server,cluster --seed 1
//
// Four processes write and read the same keys, while pushes are delayed, cut or lost, the server is paused, killed and emptied, processes are
// paused, slots move and replicas take over. Every write records when it was acknowledged, and every read when it began. It prints one line of
// counts per mode and engine, and fails if a read returned a value that was older than its mode allows.

import { fork } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { clusterUrl, startCluster } from '../__test__/support/cluster.mjs'
import { dice } from '../__test__/support/dice.mjs'
import { relay } from '../__test__/support/near/proxy.mjs'
import { staleReads } from '../__test__/support/near/stale.mjs'
import { startRedis } from '../__test__/support/redis.mjs'
import { withDebug } from '../__test__/support/server-features.mjs'

const PEERS = 4
const KEYS = 64
const MAX_STALENESS_MS = 500
// What the clocks of a write and of a read may differ by, since each is read beside what it times.
const CLOCK_MS = 1

const peerFile = fileURLToPath(new URL('../__test__/support/near/peer.mjs', import.meta.url))

const ENGINES = {
  async server() {
    const server = await startRedis({ args: withDebug })
    const proxy = await relay(server.port)
    const faults = {
      'delayed pushes': (random) => proxy.freezePushes(random() * 2000),
      'cut pushes': () => proxy.cutPushes(),
      'stranded pushes': () => proxy.strandPushes(),
      'killed connections': () => server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
      emptied: () => server.command('FLUSHALL'),
      asleep: (random) => server.command('DEBUG', 'SLEEP', (random() * 0.8).toFixed(2)),
      paused: (random) => server.whilePaused(() => delay(random() * 1500)),
      killed: () => server.kill().then(() => server.start()),
    }
    const end = async () => {
      proxy.close()
      await server.stop()
    }
    return { url: `redis://127.0.0.1:${proxy.port}`, faults, end }
  },
  async cluster() {
    const cluster = await startCluster({ primaries: 3, replicas: 1 })
    const faults = {
      async 'moved slots'(random) {
        for (let n = 0; n < 20; n++) {
          const slot = Math.floor(random() * 16384)
          const from = await cluster.nodeOf(slot)
          const others = (await cluster.primaries()).filter((node) => node !== from)
          await cluster.migrate(slot, from, others[Math.floor(random() * others.length)], { keys: 10 })
        }
      },
      async 'failed over'(random) {
        const primaries = await cluster.primaries()
        const [replica] = await cluster.replicasOf(primaries[Math.floor(random() * primaries.length)])
        if (replica) await cluster.failover(replica)
        await cluster.ready()
      },
      async 'killed connections'(random) {
        const primaries = await cluster.primaries()
        const node = primaries[Math.floor(random() * primaries.length)]
        await node.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      },
    }
    const url = cluster.url ?? clusterUrl(cluster.nodes.map(({ port }) => port))
    return { url, faults, end: () => cluster.close() }
  },
}

async function lead() {
  const { values } = parseArgs({
    options: {
      reads: { type: 'string', default: '10000000' },
      seconds: { type: 'string', default: 'Infinity' },
      seed: { type: 'string', default: '1' },
      mode: { type: 'string', default: 'push,strict' },
      engine: { type: 'string', default: 'server,cluster' },
    },
  })
  let failed = false
  for (const engine of values.engine.split(',')) {
    for (const mode of values.mode.split(',')) {
      const counts = await run(engine, mode, values.seed, Number(values.reads), Number(values.seconds))
      console.log(JSON.stringify({ engine, mode, seed: values.seed, ...counts }))
      // A run in which nothing was near shows nothing.
      failed ||= counts.stale > 0 || counts.near === 0 || counts.writes === 0
    }
  }
  process.exitCode = failed ? 1 : 0
}

async function run(engine, mode, seed, reads, seconds) {
  const random = dice(`faults ${seed}`)
  const { url, faults, end } = await ENGINES[engine]()
  const peers = Array.from({ length: PEERS }, (_, index) => start({ url, index, seed, mode }))
  for (const peer of peers) {
    peer.on('message', ({ renamed }) => {
      if (renamed) for (const other of peers) if (other !== peer && other.connected) other.send({ renamed }, () => {})
    })
  }
  const happened = {}
  const began = performance.now()
  const isOver = () =>
    peers.reduce((sum, { counts }) => sum + counts.reads, 0) >= reads || (performance.now() - began) / 1000 >= seconds
  const names = [...Object.keys(faults), 'paused process']
  for (let at = 0; !isOver(); at++) {
    await delay((engine === 'cluster' ? 1500 : 300) + random() * 1000)
    const name = names[at < names.length ? at : Math.floor(random() * names.length)]
    happened[name] = (happened[name] ?? 0) + 1
    if (name === 'paused process') await paused(peers[Math.floor(random() * PEERS)], random() * 2000)
    else await faults[name](random)
  }
  const reports = await Promise.all(peers.map(report))
  await end()
  const { stale, oldest } = staleReads(reports, (mode === 'push' ? MAX_STALENESS_MS : 0) + CLOCK_MS)
  for (const each of stale.slice(0, 10)) console.error(JSON.stringify({ engine, mode, seed, ...each }))
  const total = (name) => reports.reduce((sum, { counts }) => sum + counts[name], 0)
  const [all, near, writes, unsure] = ['reads', 'near', 'writes', 'failed'].map(total)
  const took = Math.round((performance.now() - began) / 1000)
  return {
    reads: all,
    near,
    writes,
    unsure,
    stale: stale.length,
    oldestMs: Math.round(oldest),
    happened,
    seconds: took,
  }
}

function start(place) {
  const env = {
    PATH: process.env.PATH,
    PLACE: JSON.stringify({ ...place, count: PEERS, keys: KEYS, maxStalenessMs: MAX_STALENESS_MS }),
  }
  const peer = fork(peerFile, { env, serialization: 'advanced' })
  peer.counts = { reads: 0 }
  peer.on('message', ({ counts }) => {
    if (counts) peer.counts = counts
  })
  peer.on('exit', (code) => {
    if (code !== 0) throw new Error(`a process ended: ${code}`)
  })
  return peer
}

async function paused(peer, ms) {
  peer.kill('SIGSTOP')
  await delay(ms)
  peer.kill('SIGCONT')
}

function report(peer) {
  return new Promise((resolve) => {
    peer.on('message', ({ report }) => {
      if (report) resolve(report)
    })
    peer.send({ stop: true })
  })
}

await lead()
