// The proof that a job survives its worker: workers are killed one after the other while they work, and every job is done.

import { now, startWorkers } from './workers.mjs'
import { recovery, countRuns } from './analysis.mjs'
import { watchTakes } from './watch-takes.mjs'

const LEASE_MS = 2000
const CONCURRENCY = 10
/** What a worker may have taken ahead of what it had begun. */
const AHEAD = 100

/** Adds `count` jobs and lets four workers do them, of which one dies every `everyMs`. `amid` runs when half of them are done. */
export async function killWorkers(t, { count, everyMs = 200, workMs = 4, url, amid }) {
  const service = await t.service({ url, timeoutMs: 10_000 })
  const keep = { done: { count: 2 * count, ageSeconds: 3600, bytes: 1e9 } }
  const queue = new t.cinnabar.JobQueue('proof', { service, leaseMs: LEASE_MS, keep })
  const jobs = Array.from({ length: count }, (_, n) => ({ name: 'work', data: { n }, id: `job-${n}` }))
  await queue.addMany(jobs)
  const watched = watchTakes(t, service)
  const workers = await startWorkers({
    url: url ?? t.proxy.url,
    count: 4,
    workMs,
    queue: { leaseMs: LEASE_MS, keep },
    process: { concurrency: CONCURRENCY },
  })

  const from = now()
  let disturbed = false
  for (let turn = 0; ; turn++) {
    const counts = await ask(queue)
    if (counts?.done === count) break
    if (now() - from > 120e6) {
      t.check(false, `after 120 s there are ${JSON.stringify(counts)}`)
      break
    }
    if (amid && !disturbed && counts?.done > count / 2) {
      disturbed = true
      await amid()
    }
    if (counts && counts.done < count) await Promise.all([t.sleep(everyMs), workers.replace(turn % 4)])
    else await t.sleep(50)
  }
  const took = (now() - from) / 1e6
  const counts = await queue.counts()
  await workers.stop()
  const takes = await watched.stop()

  const entries = workers.entries()
  const { begun, ended, twice } = countRuns(entries)
  const { kills } = workers
  const { count: recovered, takenMs, begunMs } = recovery(entries, kills, takes, LEASE_MS)
  const starts = [...begun.values()].reduce((sum, times) => sum + times, 0)
  t.calls.count += count
  t.note(
    `${count} jobs in ${took.toFixed(1)} s, ${kills.length} workers killed: ${ended.size} done, ${twice} of them twice, ${starts} begun`,
  )
  t.note(
    `${recovered} jobs of killed workers were taken again within ${Math.round(takenMs)} ms, and begun within ${Math.round(begunMs)} ms more`,
  )
  const lost = count - ended.size
  t.calls.wrong += lost
  t.check(lost === 0, `${lost} jobs were never done`)
  for (const state of ['ready', 'delayed', 'active', 'dead'])
    t.check(counts[state] === 0, `${counts[state]} jobs are ${state}`)
  t.check(counts.done === count, `${counts.done} jobs are done`)
  // A slow machine starts few while the others do all the jobs of a short run.
  t.check(kills.length >= (t.short ? 2 : 15), `only ${kills.length} workers were killed`)
  t.check(twice <= kills.length * (CONCURRENCY + AHEAD), `${twice} jobs were done twice`)
  t.check(
    amid || takenMs <= LEASE_MS + 1000,
    `a job was taken again only ${Math.round(takenMs)} ms after its worker was killed`,
  )
  t.check(amid || begunMs <= 1000, `a job that was taken began only ${Math.round(begunMs)} ms later`)
  await queue.close()
  return { counts, workers }
}

/** The counts, or nothing while the server is gone. */
const ask = (queue) => queue.counts().catch(() => undefined)
