'use strict'

// The entry point for runtimes without Node-API: edge functions, workers, browsers. It exports every name, so that modules that
// import them load, and throws an error that says what is wrong when one is used.

const { unsupported } = require('./lib/unsupported.js')

module.exports = {
  redisService: unsupported('redisService'),
  RedisService: unsupported('RedisService'),
  SessionManager: unsupported('SessionManager'),
  ApiCache: unsupported('ApiCache'),
  RateLimiter: unsupported('RateLimiter'),
  DistributedLock: unsupported('DistributedLock'),
  QuorumLock: unsupported('QuorumLock'),
  RealtimeDataManager: unsupported('RealtimeDataManager'),
  JobQueue: unsupported('JobQueue'),
  UnrecoverableError: unsupported('UnrecoverableError'),
  publish: unsupported('publish'),
  subscribe: unsupported('subscribe'),
  healthCheck: unsupported('healthCheck'),
  healthHandler: unsupported('healthHandler'),
  shutdownOnSignal: unsupported('shutdownOnSignal'),
  clientIp: unsupported('clientIp'),
  addressList: unsupported('addressList'),
  withCache: unsupported('withCache'),
  withRateLimit: unsupported('withRateLimit'),
  CinnabarError: unsupported('CinnabarError'),
}
