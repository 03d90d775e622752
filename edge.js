'use strict'

// What runtimes without Node-API get: edge functions, workers, browsers. Every name is there, so that what imports it loads
// and says what is wrong where it is used.

const WHY =
  'cinnabar is a native addon and runs in Node.js, Deno and Bun, not in an edge runtime or a browser. ' +
  "In Next.js, use the Node.js runtime for this route: export const runtime = 'nodejs'."

// Asked by whoever looks at a value without using it: promises, consoles, React.
const QUIET = new Set(['then', 'toJSON', '$$typeof', 'displayName'])

function refusing(name) {
  const refuse = () => {
    throw new Error(`${name} cannot be used here: ${WHY}`)
  }
  return new Proxy(function () {}, {
    apply: refuse,
    construct: refuse,
    set: refuse,
    get(target, key) {
      if (key in target) return target[key]
      return typeof key === 'symbol' || QUIET.has(key) ? undefined : refuse()
    },
  })
}

module.exports = {
  redisService: refusing('redisService'),
  RedisService: refusing('RedisService'),
  SessionManager: refusing('SessionManager'),
  ApiCache: refusing('ApiCache'),
  RateLimiter: refusing('RateLimiter'),
  DistributedLock: refusing('DistributedLock'),
  RealtimeDataManager: refusing('RealtimeDataManager'),
  JobQueue: refusing('JobQueue'),
  UnrecoverableError: refusing('UnrecoverableError'),
  publish: refusing('publish'),
  subscribe: refusing('subscribe'),
  healthCheck: refusing('healthCheck'),
  healthHandler: refusing('healthHandler'),
  shutdownOnSignal: refusing('shutdownOnSignal'),
  CinnabarError: refusing('CinnabarError'),
}
