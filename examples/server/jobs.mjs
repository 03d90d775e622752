// Reports that take a few seconds to build, and who builds them: a worker in this very process. Any number of servers may share
// the queue; each hears of all jobs, wherever they run.
import { setTimeout as sleep } from 'node:timers/promises'
import { JobQueue } from '../../index.js'

const STEPS = 20
const STEP_MS = 120
const AT_ONCE = 2
const EVENTS = ['added', 'active', 'progress', 'completed', 'retrying', 'stalled', 'dead', 'gap']
const CLOSE_MS = 1000

/** The queue of reports with its worker. `watch` tells of what happens to jobs until what it answers is called. */
export function openJobs() {
  const queue = new JobQueue('example-reports', { keep: { done: { count: 20 } } })
  queue.process(build, { concurrency: AT_ONCE })
  const watchers = new Set()
  for (const type of EVENTS) {
    // Of an error the page needs the words; the rest is not for everybody.
    queue.on(type, ({ error, ...details }) => {
      watchers.forEach((tell) => tell({ type, ...details, error: error?.message }))
    })
  }
  return {
    queue,
    watch(tell) {
      watchers.add(tell)
      return () => watchers.delete(tell)
    },
    close: () => queue.close({ timeoutMs: CLOSE_MS }),
  }
}

/** One attempt at a report. When the server stops, the job goes back to the queue and its signal ends the wait. */
async function build(job, { signal, progress }) {
  for (let step = 1; step <= STEPS; step++) {
    await sleep(STEP_MS, undefined, { signal })
    progress(step / STEPS)
    if (job.data.failsOnce && job.attempt === 1 && step === STEPS / 2) throw new Error('The printer is out of paper.')
  }
  return { pages: 12 }
}
