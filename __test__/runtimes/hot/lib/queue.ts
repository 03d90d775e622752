import { JobQueue, RedisService } from 'cinnabar'

const VERSION = 0
export const service = new RedisService({ url: process.env.REDIS_URL, poolSize: 1 })
export const queue = new JobQueue<{ n: number }, number>('hot', { service })

function start() {
  queue.process(async () => {
    await service.getClient().incr('handled')
    // Long enough that two workers would share a round of jobs.
    await new Promise((resolve) => setTimeout(resolve, 100))
    return VERSION
  })
}

// After an await, no importer of this module is on the stack.
await service.connect()
start()
