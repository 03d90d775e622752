/** cinnabar, through the classes its users call. */
import { createRequire } from 'node:module'

const load = createRequire(import.meta.url)

export async function open({ url }) {
  const { RedisService, ApiCache, RateLimiter, SessionManager, DistributedLock } = load('../..')
  const service = new RedisService({ url })
  await service.connect()
  const cache = new ApiCache(service)
  const limiter = new RateLimiter(service)
  const sessions = new SessionManager(service)
  const locks = new DistributedLock(service)
  return {
    cacheKey: (name) => name,
    getJson: (key) => cache.get(key),
    setJson: (key, value, ttl) => cache.set(key, value, { ttl }),
    allow: async (id, limit, windowSeconds) => (await limiter.checkRateLimit(id, limit, windowSeconds)).allowed,
    createSession: (userId, data) => sessions.createSession(userId, data),
    getSession: (id) => sessions.getSession(id),
    updateSession: (id, changes) => sessions.updateSession(id, changes),
    withLock: async (resource, ttlSeconds) => {
      const token = await locks.acquireLock(resource, ttlSeconds)
      return token !== null && locks.releaseLock(resource, token)
    },
    close: () => service.disconnect(),
  }
}
