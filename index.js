'use strict'

const { ApiCache } = require('./lib/cache.js')
const { withCache } = require('./lib/cache/with-cache.js')
const { healthCheck, healthHandler, publish, redisService, subscribe } = require('./lib/default-service.js')
const { CinnabarError } = require('./lib/error.js')
const { RateLimiter } = require('./lib/limit.js')
const { addressList } = require('./lib/limit/address-list.js')
const { clientIp } = require('./lib/limit/client-ip.js')
const { withRateLimit } = require('./lib/limit/with-rate-limit.js')
const { DistributedLock } = require('./lib/lock.js')
const { QuorumLock } = require('./lib/lock/quorum.js')
const { JobQueue } = require('./lib/queue.js')
const { UnrecoverableError } = require('./lib/queue/unrecoverable.js')
const { RealtimeDataManager } = require('./lib/room.js')
const { RedisService } = require('./lib/service.js')
const { SessionManager } = require('./lib/session.js')
const { shutdownOnSignal } = require('./lib/shutdown.js')

// Plain names in one literal: that is what lets `import { … } from 'cinnabar'` find them without running this file.
module.exports = {
  redisService,
  RedisService,
  SessionManager,
  ApiCache,
  RateLimiter,
  DistributedLock,
  QuorumLock,
  RealtimeDataManager,
  JobQueue,
  UnrecoverableError,
  publish,
  subscribe,
  healthCheck,
  healthHandler,
  shutdownOnSignal,
  clientIp,
  addressList,
  withCache,
  withRateLimit,
  CinnabarError,
}
