// The server, which writes down what it does, is killed and started again while workers are killed too: no job is lost.

import { killWorkers } from '../jobs/killing.mjs'
import { scenario } from '../scenario.mjs'

const about = {
  number: 43,
  name: 'workers and their server killed',
  short: true,
  limitMs: 180_000,
  server: { args: ['--appendonly', 'yes'] },
}

export default scenario(about, (t) =>
  killWorkers(t, {
    count: t.short ? 4000 : 20_000,
    url: t.server.url,
    async amid() {
      await t.server.kill()
      await t.sleep(500)
      await t.server.start()
    },
  }),
)
