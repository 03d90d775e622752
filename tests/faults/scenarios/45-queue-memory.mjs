// Jobs by the hundred thousand leave nothing behind but the few finished ones that are kept.

import { scenario } from '../scenario.mjs'

const BATCH = 5000
/** Added by one call: its JSON is written in one turn of the event loop. */
const AT_ONCE = 500

export default scenario({ number: 45, name: 'memory of finished jobs', short: true, limitMs: 180_000 }, async (t) => {
  await t.server.command('FLUSHALL')
  const service = await t.service({ url: t.server.url })
  const queue = new t.cinnabar.JobQueue('flat', { service })
  queue.process((job) => ({ seen: job.data.n }), { concurrency: 50 })
  const figures = async () => {
    const info = await t.server.command('INFO', 'memory')
    const keys = await t.server.command('DBSIZE')
    return { keys, mb: Number(/used_memory:(\d+)/.exec(info)[1]) / (1 << 20) }
  }
  const work = async (from) => {
    const jobs = Array.from({ length: BATCH }, (_, i) => ({
      name: 'work',
      data: { n: from + i, text: 'x'.repeat(200) },
      group: `g${i % 500}`,
      dedup: `d${from + i}`,
    }))
    for (let n = 0; n < BATCH; n += AT_ONCE) await queue.addMany(jobs.slice(n, n + AT_ONCE))
    await t.until(
      'the jobs are done',
      async () => {
        const { ready, active } = await queue.counts()
        return ready + active === 0
      },
      { withinMs: 60_000 },
    )
    t.calls.count += BATCH
  }
  await work(0)
  const first = await figures()
  const batches = t.short ? 3 : 20
  for (let n = 1; n < batches; n++) await work(n * BATCH)
  const last = await figures()
  t.note(
    `after ${BATCH} jobs ${first.mb.toFixed(1)} MB and ${first.keys} keys in the server, after ${batches * BATCH} ${last.mb.toFixed(1)} MB and ${last.keys} keys`,
  )
  const { done, dead } = await queue.counts()
  t.check(done <= 100 && dead === 0, `${done} finished jobs are kept, ${dead} are dead`)
  t.check(last.keys <= 105, `${last.keys} keys are left`)
  t.check(last.mb - first.mb < 1, `the server has ${(last.mb - first.mb).toFixed(1)} MB more`)
  await queue.close()
})
