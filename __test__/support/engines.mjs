// Both engines, so that each feature's spec runs once on each:
//
//   for (const engine of engines) {
//     describe(`sessions on ${engine.name}`, () => { const service = await engine.makeService() … })
//   }
//
// Every spec file is a process of its own and so has a Redis server of its own; it ends with the process.

import { randomUUID } from 'node:crypto'

import { ApiCache, RedisService } from 'cinnabar'
import { advanceTime } from 'cinnabar/testing'

import { rawClient } from '../helpers.mjs'
import { startRedis } from './redis.mjs'

export { freePort, temporaryFolder } from './processes.mjs'
export { startPostgres } from './postgres.mjs'
export { redisCommand, startRedis } from './redis.mjs'

const server = await startRedis()

// Of services on the embedded engine.
const urls = new WeakMap()

const memory = {
  name: 'memory',
  kind: 'memory',
  /** A service on a store of its own. */
  async makeService(options = {}) {
    const own = { url: `memory:${randomUUID()}`, ...options }
    const service = new RedisService(own)
    urls.set(service, own.url)
    return service
  },
  /** Another service on the store of this one. */
  beside: (service, options = {}) => new RedisService({ ...options, url: urls.get(service) }),
  /** The URL of its store. */
  urlOf: (service) => urls.get(service),
  /** What a child process needs in its environment to use this engine. */
  env: () => ({ REDIS_URL: 'memory:' }),
  /** Moves time forward without sleeping: ttls and leases expire. */
  advance: (service, ms) => advanceTime(service, ms),
}

const redis = {
  name: 'redis',
  kind: 'redis',
  server,
  /** A service on this file's server, which is running and emptied first. */
  async makeService(options = {}) {
    await server.start()
    await server.command('FLUSHALL')
    return new RedisService({ url: server.url, ...options })
  },
  beside: (_, options = {}) => new RedisService({ ...options, url: server.url }),
  env: () => ({ REDIS_URL: server.url }),
  advance: undefined,
}

export const engines = [memory, redis]

/** A test's body that gets a cache with these options, its service on this engine, which it leaves disconnected, and the raw client. */
export const withCacheOn = (engine) => (run, options) =>
  withClient(engine)((client, service) => run(new ApiCache(service, options), service, client))

/** A test's body that gets the raw client of a service on this engine, and the service, which it leaves disconnected. */
export const withClient = (engine) => (run) => async () => {
  const service = await engine.makeService()
  try {
    await run(await rawClient(service), service)
  } finally {
    await service.disconnect()
  }
}
