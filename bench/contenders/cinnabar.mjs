/** cinnabar, through the classes its users call. */
import { createRequire } from 'node:module'

const load = createRequire(import.meta.url)

export async function open({ url }) {
  const { RedisService, ApiCache, RateLimiter, SessionManager, DistributedLock, JobQueue } = load('../..')
  const service = new RedisService({ url })
  await service.connect()
  const cache = new ApiCache(service)
  const limiter = new RateLimiter(service)
  const policies = {
    gcra: { algorithm: 'gcra', limit: 1_000_000, per: 3600 },
    shared: { algorithm: 'fixed-window', limit: 1_000_000_000, per: 3600, mode: 'shares' },
  }
  const byPolicy = new RateLimiter(service, { policies })
  const sessions = new SessionManager(service)
  const locks = new DistributedLock(service)
  return {
    cacheKey: (name) => name,
    getJson: (key) => cache.get(key),
    setJson: (key, value, ttl) => cache.set(key, value, { ttl }),
    allow: async (id, limit, windowSeconds) => (await limiter.checkRateLimit(id, limit, windowSeconds)).allowed,
    allowGcra: async (id) => (await byPolicy.check('gcra', id)).allowed,
    allowShared: async (id) => (await byPolicy.check('shared', id)).allowed,
    createSession: (userId, data) => sessions.createSession(userId, data),
    getSession: (id) => sessions.getSession(id),
    updateSession: (id, changes) => sessions.updateSession(id, changes),
    withLock: async (resource, ttlSeconds) => {
      const token = await locks.acquireLock(resource, ttlSeconds)
      return token !== null && locks.releaseLock(resource, token)
    },
    renewedLock: async (resource, ttlSeconds) => {
      const lock = await locks.acquire(resource, { ttlSeconds })
      return (await lock.release()) === 'released'
    },
    waitForLock: async (resource, ttlSeconds) => {
      const lock = await locks.acquire(resource, { ttlSeconds, wait: {} })
      return () => lock.release()
    },
    publish: (channel, value) => service.publish(channel, value),
    subscribe: (channel, handler) => service.subscribe(channel, handler),
    ...(JobQueue ? jobsOf(new JobQueue('bench', { service })) : {}),
    close: () => service.disconnect(),
  }
}

function jobsOf(queue) {
  return {
    addJob: (name, data) => queue.add(name, data),
    addJobs: (jobs) => queue.addMany(jobs),
    async jobsLeft() {
      const { ready, active } = await queue.counts()
      return ready + active
    },
    async makeWorker(handler, concurrency) {
      let worker
      return { start: () => (worker = queue.process(handler, { concurrency })), close: () => worker.close() }
    },
  }
}
