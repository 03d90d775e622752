/** Everything that the package exports, sorted. */
export const EXPORTS = [
  'ApiCache',
  'CinnabarError',
  'DistributedLock',
  'JobQueue',
  'RateLimiter',
  'RealtimeDataManager',
  'RedisService',
  'SessionManager',
  'UnrecoverableError',
  'healthCheck',
  'healthHandler',
  'publish',
  'redisService',
  'shutdownOnSignal',
  'subscribe',
]
