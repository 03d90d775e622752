'use strict'

const { ApiCache } = require('./cache.js')
const { useDefaultService } = require('./feature.js')
const { checkHealth } = require('./health.js')
const { makeHandler } = require('./health/handler.js')
const { RateLimiter } = require('./limit.js')
const { DistributedLock } = require('./lock.js')
const { RealtimeDataManager } = require('./room.js')
const { lazyService } = require('./service.js')
const { SessionManager } = require('./session.js')
const { addStaticForms } = require('./static-forms.js')

/** The service that the environment describes. Made at its first use, connected by its first call. */
const redisService = lazyService()

useDefaultService(() => redisService)

addStaticForms(SessionManager, () => redisService.sessions)
addStaticForms(ApiCache, () => redisService.cache)
addStaticForms(RateLimiter, () => redisService.limiter)
addStaticForms(DistributedLock, () => redisService.locks)
addStaticForms(RealtimeDataManager, () => redisService.rooms)

function publish(channel, value, options) {
  return redisService.publish(channel, value, options)
}

function subscribe(channel, handler, options) {
  return redisService.subscribe(channel, handler, options)
}

function healthCheck(service = redisService, options) {
  return checkHealth(service, options)
}

function healthHandler(options) {
  return makeHandler(options, redisService)
}

module.exports = { healthCheck, healthHandler, publish, redisService, subscribe }
