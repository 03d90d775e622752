/** The process of one contender: opens its client, prepares one workload, and runs it when told. */
import { workloads } from '../workloads/all.mjs'
import { measure } from './measure.mjs'

let client
let operation

const tasks = {
  async open({ contender, address }) {
    const { open } = await import(`../contenders/${contender}.mjs`)
    client = await open(address)
  },
  async prepare({ workload, cell }) {
    operation = await workloads[workload].prepare(client, cell)
  },
  run: ({ inflight, ms }) => measure(operation, { inflight, ms }),
  async close() {
    await client?.close()
    process.disconnect()
  },
}

process.on('message', async ({ task, ...input }) => {
  try {
    const answer = await tasks[task](input)
    if (process.connected) process.send({ answer })
  } catch (error) {
    process.send({ error: String(error?.message ?? error).split('\n')[0] })
  }
})
process.on('disconnect', () => process.exit())
