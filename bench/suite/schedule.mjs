/** Runs a group: every contender in a process of its own, their runs interleaved round by round. */
import { workloads } from '../workloads/all.mjs'
import { Contender } from './contender.mjs'
import { processMicros } from './cpu.mjs'

/** Unmeasured calls: once per contender and number in flight before the first round, and shortly before every run. */
const WARM_UP_MS = 150
const LEAD_IN_MS = 40

export async function runGroup(group, server, { onRun, onFailure }) {
  const workload = workloads[group.workload]
  await server.send([['FLUSHALL', 'SYNC'], ...(workload.seed?.(group.cell) ?? [])])
  const contenders = await openAll(group, server, onFailure)
  const cells = []
  try {
    for (const inflight of group.inflight)
      cells.push(await runCell(group, inflight, contenders, { workload, server, onRun, onFailure }))
  } finally {
    await Promise.all([...contenders.values()].map((contender) => contender.close()))
  }
  return { ...group, cells }
}

async function openAll(group, server, onFailure) {
  const open = new Map()
  for (const name of group.contenders) {
    const contender = new Contender(name, { host: server.host, port: server.port, url: server.url })
    try {
      await contender.open()
      await contender.prepare(group.workload, group.cell)
      open.set(name, contender)
    } catch (error) {
      onFailure({ group: group.id, contender: name, reason: error.message })
      contender.kill()
    }
  }
  return open
}

async function runCell(group, inflight, contenders, { workload, server, onRun, onFailure }) {
  const samples = new Map([...contenders.keys()].map((name) => [name, []]))
  for (let round = 0; round <= group.rounds; round += 1) {
    for (const [name, contender] of contenders) {
      try {
        if (workload.flushEachRun) await server.send([['FLUSHALL', 'SYNC']])
        await contender.setUp(inflight)
        if (round === 0) {
          await contender.run(inflight, Math.min(WARM_UP_MS, group.ms))
          continue
        }
        // A batch is there to be done once.
        if (workload.shape !== 'batch') await contender.run(inflight, Math.min(LEAD_IN_MS, group.ms))
        const serverBefore = processMicros(server.pid)
        const sample = await contender.run(inflight, group.ms)
        const serverMicros = processMicros(server.pid) - serverBefore
        samples.get(name).push({ ...sample, serverMicros: serverBefore === null ? null : serverMicros / sample.calls })
        onRun({ group, inflight, name, round, sample })
      } catch (error) {
        onFailure({ group: group.id, contender: name, reason: error.message })
        samples.delete(name)
        contenders.delete(name)
        contender.kill()
      }
    }
  }
  return { inflight, samples: Object.fromEntries(samples) }
}
