// A Redis Cluster of a test's own: real servers, joined and given their slots as an operator would.

import { setTimeout as delay } from 'node:timers/promises'

import { freePort, isFree } from './processes.mjs'
import { startRedis } from './redis.mjs'
import { replicated } from './replication.mjs'
import { keySlot, tagOf } from './slots.mjs'
import { openWire } from './wire.mjs'

const SLOTS = 16384
/** How far a node's bus lies above its port, in every Redis Cluster. */
const BUS = 10_000

/**
 * Starts a cluster on the loopback interface and resolves when every node says that it is complete. The slots lie on the
 * primaries in three (or `primaries`) equal runs; replica i follows primary i.
 *
 * - `password`: asked by every node, and used between them.
 * - `tls`: see `startRedis`; the nodes speak TLS among themselves too.
 * - `nodeTimeoutMs`: how long a node must be silent before the others take it for dead.
 * - `fullCoverage`: whether the whole cluster refuses calls while a slot is without a node, as Redis does by default.
 * - `args`: go to every server as they are.
 */
export async function startCluster({
  primaries = 3,
  replicas = 0,
  password,
  tls,
  nodeTimeoutMs = 1500,
  fullCoverage = true,
  args = [],
} = {}) {
  const count = primaries * (1 + replicas)
  const settings = [
    ...['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf', '--cluster-announce-ip', '127.0.0.1'],
    ...['--cluster-node-timeout', nodeTimeoutMs, '--cluster-require-full-coverage', fullCoverage ? 'yes' : 'no'],
    // Otherwise a replica waits five seconds for others that might want the same snapshot.
    ...['--repl-diskless-sync-delay', 0, '--repl-ping-replica-period', 1],
    ...(password ? ['--requirepass', password, '--masterauth', password] : []),
    ...(tls ? ['--tls-cluster', 'yes'] : []),
    ...args,
  ]
  const ports = await freePorts(count)
  const nodes = await Promise.all(ports.map((port) => startRedis({ port, password, tls, args: settings })))
  for (const node of nodes) node.id = await node.command('CLUSTER', 'MYID')
  await join(nodes, primaries)

  const cluster = {
    nodes,
    password,
    /** Every node as a seed. */
    url: clusterUrl(ports, { password, tls }),
    /** The URL with these nodes as seeds, and with other credentials where some are given. */
    urlOf: (seeds, credentials = { password }) =>
      clusterUrl(
        seeds.map(({ port }) => port),
        { tls, ...credentials },
      ),
    keySlot,
    /** A key in this slot. */
    keyIn: (slot, name = 'key') => `{${tagOf(slot)}}:${name}`,
    /** The first slot of each primary, as they were given at the start. */
    firstSlots: Array.from({ length: primaries }, (_, index) => range(index, primaries)[0]),

    /** The node that has a slot now, by what most running nodes say. */
    async nodeOf(slot) {
      const votes = new Map()
      for (const view of await views(nodes)) {
        const owner = view.find(({ first, last }) => first <= slot && slot <= last)?.id
        if (owner) votes.set(owner, (votes.get(owner) ?? 0) + 1)
      }
      const [id] = [...votes].sort((a, b) => b[1] - a[1])[0] ?? []
      return nodes.find((node) => node.id === id)
    },
    /** The nodes that have slots now. */
    async primaries() {
      const ids = new Set((await views(nodes)).flat().map(({ id }) => id))
      return nodes.filter((node) => awake(node) && ids.has(node.id))
    },
    /** The nodes that follow this one. */
    async replicasOf(primary) {
      const [view] = await views([primary])
      const ids = new Set(view.filter(({ id }) => id === primary.id).flatMap(({ replicas }) => replicas))
      return nodes.filter((node) => awake(node) && ids.has(node.id))
    },
    /** Runs a command on every node that is reachable; returns the replies in order. */
    everywhere: (...words) => Promise.all(nodes.filter(awake).map((node) => node.command(...words))),
    /** Deletes every key of every primary. */
    async empty() {
      for (const node of await cluster.primaries()) await node.command('FLUSHALL')
    },

    /**
     * Moves a slot from one primary to another, some keys at a time, as `redis-cli --cluster reshard` does. `pause` ms
     * pass between the steps; `onStep(moved)` is called after each. Returns how many keys moved.
     */
    async migrate(slot, from, to, { keys = 1, pause = 0, onStep, signal } = {}) {
      await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id)
      await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id)
      const wire = await openWire({ port: from.port, password, tls })
      let moved = 0
      try {
        for (;;) {
          const names = await wire.call('CLUSTER', 'GETKEYSINSLOT', slot, keys)
          if (names.length === 0) break
          const login = password ? ['AUTH', password] : []
          await wire.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5000, ...login, 'KEYS', ...names)
          moved += names.length
          await onStep?.(moved)
          signal?.throwIfAborted()
          if (pause) await delay(pause)
        }
      } finally {
        wire.close()
      }
      await cluster.settle(slot, from, to)
      return moved
    },
    /** Begins to move a slot and leaves it there: the keys stay where they are. End it by `settle` or `stay`. */
    async begin(slot, from, to) {
      await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id)
      await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id)
    },
    /** Moves one key of a slot whose move has begun. */
    moveKey: (key, from, to) => {
      const login = password ? ['AUTH', password] : []
      return from.command('MIGRATE', '127.0.0.1', to.port, '', 0, 5000, ...login, 'KEYS', key)
    },
    /**
     * Ends the move of a slot. The new owner hears of it first: else, for a moment, no node had the slot. Resolves when all know
     * of the new owner's epoch: the next owner of a slot needs a later one, or a late message of the former owner takes the
     * slot back from it.
     */
    async settle(slot, from, to) {
      const masters = await mastersAmong(nodes)
      const others = masters.filter((node) => node !== from && node !== to)
      for (const node of [to, from, ...others]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)
      const epoch = async (node) => /cluster_current_epoch:(\d+)/.exec(await node.command('CLUSTER', 'INFO'))[1]
      await until('all know the latest epoch', async () => new Set(await Promise.all(masters.map(epoch))).size === 1)
    },
    /** Gives the move of a slot up. */
    async stay(slot, from, to) {
      for (const node of [from, to]) await node.command('CLUSTER', 'SETSLOT', slot, 'STABLE')
    },

    /** A planned fail-over: the replica takes its primary's place and no write is lost. Resolves when all know. */
    async failover(replica) {
      await replica.command('CLUSTER', 'FAILOVER')
      await until(`${replica.port} is the primary`, async () => {
        const all = await views(nodes)
        return all.every((view) => view.some(({ id }) => id === replica.id))
      })
    },
    /**
     * Makes a node ignore all other nodes, while it serves its clients as before. The cluster must have been started
     * with `--enable-debug-command yes`.
     */
    async cutOff(node) {
      const help = await node.command('DEBUG', 'HELP')
      if (help.some((line) => line.includes('-2 to drop all packets'))) {
        await node.command('DEBUG', 'DROP-CLUSTER-PACKET-FILTER', -2)
        return
      }
      // Servers that know nothing of that forget a node for themselves alone; later ones notify all others.
      for (const other of nodes) if (other !== node) await node.command('CLUSTER', 'FORGET', other.id)
    },
    kill: (node) => node.kill(),
    stop: (node) => node.stop(),
    start: (node) => node.start(),
    pause: (node) => node.pause(),
    resume: (node) => node.resume(),
    /** Waits until every node that can be asked says that the cluster is complete, and replicas have all writes so far. */
    async ready() {
      await until('the cluster is complete', () => complete(nodes.filter(awake)))
      for (const run of await runs(nodes)) {
        const replicas = nodes.filter((node) => run.replicas.includes(node.id))
        await replicated(
          nodes.find((node) => node.id === run.id),
          replicas.filter(awake),
          { key: `{${tagOf(run.first)}}:replicated` },
        )
      }
    },
    async close() {
      await Promise.all(nodes.map((node) => node.kill()))
    },
  }
  await cluster.ready()
  return cluster
}

/** A URL for these ports of the loopback interface. */
export function clusterUrl(ports, { username = '', password, tls } = {}) {
  const login = password ? `${username}:${password}@` : ''
  return `${tls ? 'rediss' : 'redis'}-cluster://${login}${ports.map((port) => `127.0.0.1:${port}`).join(',')}`
}

/** Ports whose bus is free too, and below those that systems take for outgoing connections. */
export async function freePorts(count) {
  const ports = new Set()
  while (ports.size < count) {
    const port = await freePort()
    if (port + BUS < 32_768 && (await isFree(port + BUS))) ports.add(port)
  }
  return [...ports]
}

const range = (index, primaries) => [
  Math.ceil((index * SLOTS) / primaries),
  Math.ceil(((index + 1) * SLOTS) / primaries) - 1,
]

/** Each by itself, since only Redis 7 and later take a range. */
const slots = ([first, last]) => Array.from({ length: last - first + 1 }, (_, n) => first + n)

async function join(nodes, primaries) {
  for (const [index, node] of nodes.entries()) {
    // Epochs that differ from the start spare the nodes to settle that among themselves.
    await node.command('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
    if (index < primaries) await node.command('CLUSTER', 'ADDSLOTS', ...slots(range(index, primaries)))
    // Each meets each: gossip would take longer.
    for (const other of nodes.slice(0, index)) await node.command('CLUSTER', 'MEET', '127.0.0.1', other.port)
  }
  for (const [index, replica] of nodes.slice(primaries).entries()) {
    const primary = nodes[index % primaries]
    // Refused until the replica has heard who that is.
    await until(`${replica.port} follows ${primary.port}`, () =>
      replica.command('CLUSTER', 'REPLICATE', primary.id).catch(() => false),
    )
  }
}

/** One run of slots of each primary. */
async function runs(nodes) {
  const [view] = await views(nodes)
  return [...new Map(view.map((run) => [run.id, run])).values()]
}

/** Whether each node knows all, finds every slot served, and its replicas follow. */
async function complete(nodes) {
  for (const node of nodes) {
    const info = await node.command('CLUSTER', 'INFO')
    if (!info.includes('cluster_state:ok')) return false
    const known = (await node.command('CLUSTER', 'NODES')).trim().split('\n')
    // A line with a flag such as `handshake` or `fail?` is no node that can be counted on yet.
    const joined = known.filter((line) => !/handshake|noaddr|fail/.test(line.split(' ')[2]))
    if (joined.length < nodes.length) return false
    const replication = await node.command('INFO', 'replication')
    if (replication.includes('role:slave') && !replication.includes('master_link_status:up')) return false
  }
  const roles = await Promise.all(nodes.map((node) => node.command('ROLE')))
  const replicas = roles.filter(([role]) => role === 'slave').length
  const seen = (await views(nodes)).map((view) => new Set(view.flatMap(({ replicas }) => replicas)).size)
  return seen.every((size) => size === replicas)
}

/** The primaries, found without a call that a scenario may count. */
async function mastersAmong(nodes) {
  const asked = nodes.filter(awake)
  const roles = await Promise.all(asked.map((node) => node.command('ROLE')))
  return asked.filter((_, index) => roles[index][0] === 'master')
}

/** Whether a node can be asked. */
const awake = (node) => node.running && !node.paused

/** What each node that can be asked says of the slots: `{ first, last, id, replicas }`. */
async function views(nodes) {
  const asked = nodes.filter(awake).map((node) => node.command('CLUSTER', 'SLOTS').catch(() => undefined))
  return (await Promise.all(asked)).filter(Boolean).map((runs) =>
    runs.map(([first, last, primary, ...replicas]) => ({
      first,
      last,
      id: primary[2],
      replicas: replicas.map((replica) => replica[2]),
    })),
  )
}

async function until(what, ask, seconds = 30) {
  const deadline = performance.now() + seconds * 1000
  while (!(await ask())) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await delay(20)
  }
}
