// Workers are killed one after the other while they work: no job is lost, none stays taken, few are done twice.

import { killWorkers } from '../jobs/killing.mjs'
import { scenario } from '../scenario.mjs'

export default scenario({ number: 42, name: 'workers killed', short: true, limitMs: 180_000 }, (t) =>
  killWorkers(t, { count: t.short ? 4000 : 20_000, url: t.server.url }),
)
