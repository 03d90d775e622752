// The server, which writes down what it does, is killed and started again while workers are killed too: no job is lost.

import { killWorkers } from '../jobs/kill-workers.mjs'
import { scenario } from '../scenario.mjs'

const about = {
  number: 43,
  name: 'workers and their server killed',
  short: true,
  limitMs: 180_000,
  server: { args: ['--appendonly', 'yes', '--appendfsync', 'no'] },
}

export default scenario(about, (t) =>
  killWorkers(t, {
    url: t.server.url,
    ...(t.short ? { count: 5000, workMs: 16 } : { count: 20_000 }),
    async amid() {
      await t.server.kill()
      await t.sleep(500)
      await t.server.start()
    },
  }),
)
