import { queue, service } from './queue'

const VERSION = 0
// One version of this file hears a message, however many there were.
service.subscribe('events', () => service.getClient().incr(`heard by ${VERSION}`))

/** The version of this file, and the versions of the worker that ran the jobs of one round. */
export async function round(): Promise<number[]> {
  const jobs = await queue.addMany([1, 2, 3, 4].map((n) => ({ name: 'job', data: { n } })))
  return [VERSION, ...(await Promise.all(jobs.map((job) => job.finished())))]
}
