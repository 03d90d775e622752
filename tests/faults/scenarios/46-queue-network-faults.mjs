// Jobs are added and done through every kind of fault: each whose add was acknowledged is done, and done rarely twice.

import { everyFault } from '../jobs/faults.mjs'
import { scenario } from '../scenario.mjs'

const about = { number: 46, name: 'a queue under network faults', short: true, limitMs: 180_000 }

export default scenario(about, async (t) => {
  const adding = await t.service({ timeoutMs: 1000 })
  const working = await t.service({ timeoutMs: 1000, poolSize: 2 })
  const options = { leaseMs: 2000, keep: { done: { count: 1e6, ageSeconds: 3600, bytes: 1e9 } } }
  const queue = new t.cinnabar.JobQueue('faults', { service: adding, ...options })
  const done = new Map()
  const worker = new t.cinnabar.JobQueue('faults', { service: working, ...options })
  worker.on('error', () => {})
  worker.process(
    async (job) => {
      await t.sleep(5)
      done.set(job.id, (done.get(job.id) ?? 0) + 1)
    },
    { concurrency: 10 },
  )
  const reported = []
  const unsure = []
  let running = true
  const add = async () => {
    for (let n = 0; running; n++) {
      const id = `job-${n}`
      const { error } = await t.call(adding, 'add', () => queue.add('work', { n }, { id }))
      ;(error ? unsure : reported).push(id)
      await t.sleep(10)
    }
  }
  const adders = add()
  const flows = async (name) => {
    const from = performance.now()
    const before = done.size
    await t.until(`${name}: jobs are done again`, () => done.size > before + 5, { withinMs: 6000 })
    t.healMs = Math.max(t.healMs ?? 0, performance.now() - from)
  }
  const kinds = await everyFault(t, { ms: t.short ? 500 : 3000, healed: flows })
  running = false
  await adders
  await t.until('every job that was added is done', () => reported.every((id) => done.has(id)), { withinMs: 15_000 })
  const twice = [...done.values()].filter((times) => times > 1).length
  const lost = reported.filter((id) => !done.has(id))
  t.calls.wrong += lost.length
  t.note(
    `${kinds} kinds of fault: ${reported.length} added, ${unsure.length} perhaps, ${done.size} done, ${twice} of them twice`,
  )
  t.check(lost.length === 0, `${lost.length} jobs were never done, such as ${lost[0]}`)
  t.check(twice <= kinds * 30, `${twice} jobs were done twice`)
  await worker.close()
  await queue.close()
})
