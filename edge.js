'use strict'

// The entry point for runtimes without Node-API: edge functions, workers, browsers. It exports every name, so that modules that
// import them load, and throws an error that says what is wrong when one is used.

const WHY =
  'cinnabar is a native addon and runs in Node.js, Deno and Bun, not in an edge runtime or a browser. ' +
  "In Next.js, use the Node.js runtime for this route: export const runtime = 'nodejs'."

// Read by what only inspects a value: promises, consoles, React.
const INSPECTED = new Set(['then', 'toJSON', '$$typeof', 'displayName'])

function unsupported(name) {
  const refuse = () => {
    throw new Error(`${name} cannot be used here: ${WHY}`)
  }
  return new Proxy(function () {}, {
    apply: refuse,
    construct: refuse,
    set: refuse,
    get(target, key) {
      if (key in target) return target[key]
      return typeof key === 'symbol' || INSPECTED.has(key) ? undefined : refuse()
    },
  })
}

module.exports = {
  redisService: unsupported('redisService'),
  RedisService: unsupported('RedisService'),
  SessionManager: unsupported('SessionManager'),
  ApiCache: unsupported('ApiCache'),
  RateLimiter: unsupported('RateLimiter'),
  DistributedLock: unsupported('DistributedLock'),
  RealtimeDataManager: unsupported('RealtimeDataManager'),
  JobQueue: unsupported('JobQueue'),
  UnrecoverableError: unsupported('UnrecoverableError'),
  publish: unsupported('publish'),
  subscribe: unsupported('subscribe'),
  healthCheck: unsupported('healthCheck'),
  healthHandler: unsupported('healthHandler'),
  shutdownOnSignal: unsupported('shutdownOnSignal'),
  CinnabarError: unsupported('CinnabarError'),
}
