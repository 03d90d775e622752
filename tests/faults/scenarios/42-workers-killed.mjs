// Workers are killed one after the other while they work: no job is lost, none stays taken, few are done twice.

import { killWorkers } from '../jobs/kill-workers.mjs'
import { scenario } from '../scenario.mjs'

export default scenario({ number: 42, name: 'workers killed', short: true, limitMs: 180_000 }, (t) =>
  // Two seconds of work for the workers together, however fast the machine is.
  killWorkers(t, { url: t.server.url, ...(t.short ? { count: 5000, workMs: 16 } : { count: 20_000 }) }),
)
