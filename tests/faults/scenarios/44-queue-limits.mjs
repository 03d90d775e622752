// Limits of a queue, over several workers: how many jobs run at once, of all and of a group, and how many begin within a time.

import { mostAtOnce, mostWithin } from '../jobs/analysis.mjs'
import { watchHandOuts } from '../jobs/hand-outs.mjs'
import { startWorkers } from '../jobs/workers.mjs'
import { scenario } from '../scenario.mjs'

const GROUPS = 20
const LEASE_MS = 30_000
const groupOf = ({ group }) => group

const kinds = {
  'at once': { concurrency: 8, group: { concurrency: 2 } },
  'within a time': { rate: { max: 500, perMs: 500 }, group: { rate: { max: 60, perMs: 500 } } },
}

export default scenario({ number: 44, name: 'limits of a queue', short: true, limitMs: 180_000 }, async (t) => {
  const count = t.short ? 1500 : 10_000
  for (const [name, limits] of Object.entries(kinds)) {
    await t.server.command('FLUSHALL')
    const service = await t.service({ url: t.server.url })
    const queue = new t.cinnabar.JobQueue('proof', { service })
    // Group after group, so that the first in line are always more of one than may run.
    const groupAt = (n) => `g${Math.floor((n * GROUPS) / count)}`
    const jobs = Array.from({ length: count }, (_, n) => ({ name: 'work', id: `${n}`, data: n, group: groupAt(n) }))
    await queue.addMany(jobs)
    const handing = await watchHandOuts(t.server, { leaseMs: LEASE_MS })
    const workers = await startWorkers({
      url: t.server.url,
      count: 4,
      workMs: 2,
      queue: { leaseMs: LEASE_MS },
      process: { concurrency: 10, limits },
    })
    await t.until(
      'all jobs are done',
      async () => {
        const { ready, delayed, active } = await queue.counts()
        return ready + delayed + active === 0
      },
      { withinMs: 60_000 },
    )
    await workers.stop()
    const taken = (await handing.stop()).map((one) => ({ ...one, group: groupAt(one.id) }))
    await queue.close()
    const entries = workers.entries()
    t.calls.count += count
    const begun = entries.filter(({ what }) => what === 'start').length
    t.check(begun === count, `${name}: ${begun} of ${count} jobs began`)
    const atOnce = [mostAtOnce(entries), mostAtOnce(entries, groupOf)]
    t.note(`${name}: at most ${atOnce[0]} at once, ${atOnce[1]} of a group`)
    if (limits.concurrency) {
      t.check(atOnce[0] <= limits.concurrency, `${atOnce[0]} jobs ran at once`)
      t.check(atOnce[1] <= limits.group.concurrency, `${atOnce[1]} jobs of a group ran at once`)
      t.check(atOnce[0] > limits.concurrency / 2, `only ${atOnce[0]} jobs ran at once`)
    } else {
      const { rate, group } = limits
      t.check(taken.length === count, `${taken.length} of ${count} jobs were handed out`)
      const within = mostWithin(taken, rate.perMs)
      const ofGroup = mostWithin(taken, group.rate.perMs, groupOf)
      t.note(`${name}: at most ${within} in ${rate.perMs} ms, ${ofGroup} of a group`)
      t.check(ofGroup > group.rate.max / 2, `the limit of a group was not tried: ${ofGroup}`)
      t.check(within <= rate.max, `${within} jobs were handed out within ${rate.perMs} ms`)
      t.check(ofGroup <= group.rate.max, `${ofGroup} jobs of a group were handed out within ${group.rate.perMs} ms`)
    }
  }
})
