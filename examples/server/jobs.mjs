// Reports that take a few seconds to build, and the worker of this process that builds them. Any number of servers may share the queue;
// each gets the events of all jobs, in any process.
import { setTimeout as sleep } from 'node:timers/promises'
import { JobQueue } from '../../index.js'

const STEPS = 20
const STEP_MS = Number(process.env.STEP_MS) || 120
const AT_ONCE = 2
const EVENTS = ['added', 'active', 'progress', 'completed', 'retrying', 'stalled', 'dead', 'gap']
const CLOSE_MS = 1000

/** Opens the queue of reports, with a worker. `watch` calls a listener for each event, until the function that it returns is called. */
export function openJobs() {
  const queue = new JobQueue('example-reports', { keep: { done: { count: 20 } } })
  queue.process(build, { concurrency: AT_ONCE })
  const listeners = new Set()
  for (const type of EVENTS) {
    // The page needs only the message of an error; the rest is not public.
    queue.on(type, ({ error, ...details }) => {
      listeners.forEach((listener) => listener({ type, ...details, error: error?.message }))
    })
  }
  return {
    queue,
    watch(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: () => queue.close({ timeoutMs: CLOSE_MS }),
  }
}

/** Runs one attempt at a report. When the server stops, the job returns to the queue and its signal ends the wait. */
async function build(job, { signal, progress }) {
  for (let step = 1; step <= STEPS; step++) {
    await sleep(STEP_MS, undefined, { signal })
    progress(step / STEPS)
    if (job.data.failsOnce && job.attempt === 1 && step === STEPS / 2) throw new Error('The printer is out of paper.')
  }
  return { pages: 12 }
}
