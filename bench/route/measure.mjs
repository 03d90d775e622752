/** Runs the contenders: each in a process of its own with a load process, their runs interleaved round by round. */
import { processMicros } from '../suite/cpu.mjs'
import { contenders } from './contenders.mjs'
import { startProcess } from './process.mjs'

const WARM_UP_MS = 1500
const LEAD_IN_MS = 200
const COUNTED_REQUESTS = 500

/** Name → `{ rounds, counts }`. `counts` are of one connection, where no request shares a round trip with another. */
export async function measureRoute({ names, server, connections, rounds, ms, profile, onRun }) {
  const sides = new Map()
  try {
    for (const name of names) sides.set(name, await openSides(name, server, { connections, profile }))
    const measured = new Map()
    for (const [name, { sender }] of sides) {
      await sender.ask('run', { count: connections, ms: WARM_UP_MS })
      measured.set(name, { rounds: [], counts: await counted(sender, server) })
    }
    for (let round = 1; round <= rounds; round += 1) {
      for (const [name, pair] of sides) {
        measured.get(name).rounds.push(await oneRun(pair, server, { connections, ms }))
        onRun({ name, round })
      }
    }
    return measured
  } finally {
    for (const { sender, site } of sides.values()) await Promise.all([sender.close(), site.close()])
  }
}

async function openSides(name, { host, port, url }, { connections, profile }) {
  const profiling = profile === name ? ['--cpu-prof', '--cpu-prof-interval=200'] : []
  const site = startProcess('server-process.mjs', profiling)
  const sender = startProcess('sender-process.mjs')
  if (!contenders[name]) throw new Error(`no contender ${name}; there are ${Object.keys(contenders).join(', ')}`)
  const sitePort = await site.ask('open', { contender: name, address: { host, port, url } })
  await sender.ask('open', { port: sitePort, count: connections })
  return { site, sender }
}

async function counted(sender, server) {
  const before = await serverCounts(server)
  await sender.ask('run', { count: 1, requests: COUNTED_REQUESTS })
  return perRequest(before, await serverCounts(server), COUNTED_REQUESTS)
}

async function oneRun({ site, sender }, server, { connections, ms }) {
  await sender.ask('run', { count: connections, ms: LEAD_IN_MS })
  const before = await serverCounts(server)
  await site.ask('start')
  const load = await sender.ask('run', { count: connections, ms })
  const { mainMicros, mainCpuMicros, processMicros: ofProcess } = await site.ask('stop', { calls: load.calls })
  const after = await serverCounts(server)
  const { commands, reads, serverMicros } = perRequest(before, after, load.calls)
  return { ...load, mainMicros, mainCpuMicros, processMicros: ofProcess, serverMicros, commands, reads }
}

async function serverCounts(server) {
  const [text] = await server.send([['INFO', 'stats']])
  const field = (name) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)[1])
  return {
    commands: field('total_commands_processed'),
    reads: field('total_reads_processed'),
    micros: processMicros(server.pid),
  }
}

/** Without the `INFO` between the two. */
function perRequest(before, after, requests) {
  return {
    commands: (after.commands - before.commands - 1) / requests,
    reads: (after.reads - before.reads - 1) / requests,
    serverMicros: before.micros === null ? null : (after.micros - before.micros) / requests,
  }
}
