// `npm run races`: races of sessions.  npm run races -- --races 100000 --seed 1 --only limit,rotate --engine cluster --seconds 600
//
// Four processes sign users in and out, write, rotate and end the same sessions at the same time, on a server, on a server that evicts keys
// and in a cluster; on the embedded engine, which is within a process, four services of one process do. Each kind of race is a file in
// `__test__/support/races`, and prints one line of counts.

import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { KINDS, makePeer } from '../__test__/support/races/kinds.mjs'

const PEERS = 4
const BATCH = 64
const STEPS = ['make', 'open', 'race', 'check']

const ENGINES = {
  async memory() {
    return { peers: await Promise.all(places('memory:races').map(makePeer)), end: () => {} }
  },
  async server() {
    const { startRedis } = await import('../__test__/support/redis.mjs')
    const server = await startRedis()
    return processes(server.url, { end: () => server.stop(), evict: (run) => evicting(server, run) })
  },
  async cluster() {
    const { startCluster } = await import('../__test__/support/cluster.mjs')
    const cluster = await startCluster({ primaries: 3 })
    return processes(cluster.url, { end: () => cluster.close() })
  },
}

async function lead() {
  const { values } = parseArgs({
    options: {
      races: { type: 'string', default: '100000' },
      seed: { type: 'string', default: '1' },
      seconds: { type: 'string', default: 'Infinity' },
      only: { type: 'string', default: Object.keys(KINDS).join() },
      engine: { type: 'string', default: Object.keys(ENGINES).join() },
    },
  })
  const [seed, most, seconds] = [values.seed, values.races, values.seconds].map(Number)
  let wrong = 0
  for (const engine of values.engine.split(',')) {
    const { peers, end, evict } = await ENGINES[engine]()
    for (const name of values.only.split(',')) {
      const kind = KINDS[name]
      if (kind.evicts && !evict) continue
      const counts = await (kind.evicts ? evict : (run) => run())(() => races(name, { peers, seed, most, seconds }))
      console.log(JSON.stringify({ engine, kind: name, seed, ...counts }))
      wrong += kind.wrong.reduce((sum, each) => sum + counts[each], counts.failed)
      // What did not come about was not tested.
      wrong += kind.needed.filter((each) => !(counts[each] > 0)).length
    }
    await end()
  }
  process.exitCode = wrong === 0 ? 0 : 1
}

/** Runs races of one kind; returns the counts. */
async function races(name, { peers, seed, most, seconds }) {
  const kind = KINDS[name]
  const total = { races: 0, failed: 0, ...Object.fromEntries([...kind.wrong, ...kind.needed].map((each) => [each, 0])) }
  const began = performance.now()
  const past = () => (performance.now() - began) / 1000
  while (total.races < most && past() < seconds) {
    const batch = Array.from({ length: Math.min(BATCH, most - total.races) }, (_, at) => {
      const number = total.races + at
      return { name: `${name} ${seed}-${number}`, number, by: number % PEERS, steps: {} }
    })
    for (const step of STEPS.filter((each) => kind[each])) {
      const results = await Promise.all(peers.map((peer) => peer.run(name, step, batch)))
      for (const [at, race] of batch.entries()) race.steps[step] = results.map((each) => each[at])
    }
    for (const race of batch) {
      const failures = Object.values(race.steps)
        .flat()
        .filter((each) => each?.failure)
      if (failures.length > 0) {
        total.failed++
        console.error(race.name, failures[0].failure)
        continue
      }
      const counts = kind.count(race)
      if (kind.wrong.some((each) => counts[each] > 0)) console.error(JSON.stringify({ race: race.name, counts }))
      for (const [each, count] of Object.entries(counts)) total[each] = (total[each] ?? 0) + count
    }
    total.races += batch.length
  }
  return { ...total, seconds: Math.round(past()) }
}

const places = (url) => Array.from({ length: PEERS }, (_, index) => ({ url, index, count: PEERS }))

function processes(url, { end, ...rest }) {
  const peers = places(url).map((place) => new Peer(place))
  const endAll = async () => {
    for (const peer of peers) peer.end()
    await end()
  }
  return { peers, end: endAll, ...rest }
}

async function evicting(server, run) {
  const read = async (name) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await server.command('INFO'))[1])
  const before = await read('evicted_keys')
  await server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-random')
  const most = (await read('used_memory')) + 1_500_000
  await server.command('CONFIG', 'SET', 'maxmemory', String(most))
  const fill = "for n = 1, 100 do redis.call('SET', 'fill:' .. ARGV[1] .. ':' .. n, string.rep('x', 900)) end"
  // Full from the start, but for the sessions of some races.
  for (let at = 0; (await read('evicted_keys')) === before; at++) await server.command('EVAL', fill, 0, at)
  await server.command('CONFIG', 'SET', 'maxmemory', String(most + 300_000))
  const counts = await run()
  await server.command('CONFIG', 'SET', 'maxmemory', '0')
  return { ...counts, evicted: (await read('evicted_keys')) - before }
}

/** One of the processes. */
class Peer {
  #child
  #pending = []

  constructor(place) {
    const env = { PATH: process.env.PATH, PLACE: JSON.stringify(place) }
    this.#child = fork(fileURLToPath(import.meta.url), { env })
    this.#child.on('message', (result) => this.#pending.shift().resolve(result))
    this.#child.on('exit', (code) =>
      this.#pending.forEach(({ reject }) => reject(new Error(`a process ended: ${code}`))),
    )
  }

  run(...work) {
    return new Promise((resolve, reject) => {
      this.#pending.push({ resolve, reject })
      this.#child.send(work)
    })
  }

  end() {
    this.#child.kill()
  }
}

if (process.send && process.env.PLACE) {
  const peer = await makePeer(JSON.parse(process.env.PLACE))
  process.on('message', async (work) => process.send(await peer.run(...work)))
} else await lead()
