/** BullMQ on the connections it makes itself. It keeps as many finished jobs as cinnabar does; alone it would keep all. */
import { Queue, Worker } from 'bullmq'

const KEPT = { removeOnComplete: { age: 3600, count: 100 }, removeOnFail: { age: 604_800, count: 1000 } }

export async function open({ host, port }) {
  const connection = { host, port }
  const queue = new Queue('bench', { connection })
  await queue.waitUntilReady()
  return {
    addJob: (name, data) => queue.add(name, data),
    addJobs: (jobs) => queue.addBulk(jobs),
    async jobsLeft() {
      const { wait, active } = await queue.getJobCounts('wait', 'active')
      return wait + active
    },
    async makeWorker(handler, concurrency) {
      const worker = new Worker('bench', handler, { connection, concurrency, autorun: false, ...KEPT })
      worker.on('error', (error) => console.error(error))
      await worker.waitUntilReady()
      return { start: () => void worker.run(), close: () => worker.close() }
    },
    close: () => queue.close(),
  }
}
