// Types of cinnabar: sessions, API caching, rate limits, locks, rooms, messages and job queues over Redis, Valkey or memory. There is
// one file per feature; this one exports them all.
//
// Units are part of a name: what ends in `Seconds` is in seconds, what ends in `Ms` in milliseconds, and a `ttl` is in seconds. Other
// names are given by Redis or by the services that the package is for, or are part of a stored format:
//
// | name                                                             | unit                                      |
// | ---------------------------------------------------------------- | ----------------------------------------- |
// | `EX`, `seconds`, `window`, `per`, `staleWhileRevalidate`,        | seconds                                   |
// | `staleIfError`, `nullTtl`, `errorTtl`                            |                                           |
// | `PX`, `ms`, `delay`, `backoff`; `ping`, `set`, `get` of a report | milliseconds                              |
// | `latency`                                                        | text in milliseconds, such as `'2ms'`     |
// | `resetTime`; `timestamp` of an image; `createdAt`, `dueAt`,      | milliseconds since 1970, a number         |
// | `startedAt`, `finishedAt` of a job; `startAt`, `endAt`, `nextAt`; |                                           |
// | `acquiredAt`                                                     |                                           |
// | `createdAt` of a session; `timestamp` of a message or a report;  | an ISO 8601 time, a string                |
// | `joinedAt`, `connectedAt`, `at`                                  |                                           |
export * from './types/service.js'
export * from './types/options.js'
export * from './types/calls.js'
export * from './types/errors.js'
export * from './types/client.js'
export * from './types/commands.js'
export * from './types/multi.js'
export * from './types/session.js'
export * from './types/connections.js'
export * from './types/cache.js'
export * from './types/with-cache.js'
export * from './types/limit.js'
export * from './types/client-ip.js'
export * from './types/rate-limit.js'
export * from './types/lock.js'
export * from './types/quorum-lock.js'
export * from './types/room.js'
export * from './types/pubsub.js'
export * from './types/queue.js'
export * from './types/job.js'
export * from './types/jobs-by-name.js'
export * from './types/worker.js'
export * from './types/health.js'
export * from './types/shutdown.js'
export * from './types/json.js'
