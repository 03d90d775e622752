/** The process of one contender: opens its client, prepares one workload, and runs it on request. */
import { workloads } from '../workloads/all.mjs'
import { measureBatch } from './batch.mjs'
import { measureHandover } from './handover.mjs'
import { measure } from './measure.mjs'
import { measurePush } from './push.mjs'

/** How a workload is measured, by its `shape`: calls in flight for a time, a batch of jobs, messages pushed, a lock handed over. */
const shapes = { calls: measure, batch: measureBatch, push: measurePush, handover: measureHandover }

let self
let client
let shape
let prepared

const tasks = {
  async open({ contender, address }) {
    const { open } = await import(`../contenders/${contender}.mjs`)
    self = { contender, address }
    client = await open(address)
  },
  async prepare({ workload, cell }) {
    shape = shapes[workloads[workload].shape ?? 'calls']
    prepared = await workloads[workload].prepare(client, cell, self)
  },
  setUp: ({ inflight }) => prepared.setUp?.(inflight),
  run: ({ inflight, ms }) => shape(prepared, { inflight, ms }),
  async close() {
    await client?.close()
    process.disconnect()
  },
}

process.on('message', async ({ task, ...input }) => {
  try {
    const result = await tasks[task](input)
    if (process.connected) process.send({ result })
  } catch (error) {
    process.send({ error: String(error?.message ?? error).split('\n')[0] })
  }
})
process.on('disconnect', () => process.exit())
