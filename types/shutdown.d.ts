import type { RedisService } from './service.js'

/**
 * Shuts down gracefully on `SIGTERM` and `SIGINT`, or on the given signals: accepts no new calls, waits at most 5 s for those in
 * flight, then ends the process by the same signal, unless it has another listener. A second signal ends the process at once. Drains
 * `service`, or every service of this JavaScript environment. Without this call the package listens to no signal. Worker threads receive
 * no signals.
 *
 * Behind a load balancer, set `beforeMs`: for that long `healthHandler` responds with 503 while calls still work, so that no more requests
 * come, and those in flight reach the store.
 *
 * @returns A function that removes the signal handlers.
 * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option: if `signals` is not an array of names of signals that a process
 * can catch, or `service` is not a `RedisService`.
 * @example
 * shutdownOnSignal({ beforeMs: 5000 })
 */
export function shutdownOnSignal(options?: ShutdownOptions): () => void
export function shutdownOnSignal(signals?: readonly string[], service?: RedisService): () => void

/** Options of `shutdownOnSignal`. */
export interface ShutdownOptions {
  /** The signals. Default `['SIGTERM', 'SIGINT']`. */
  signals?: readonly string[]
  /** The service to drain. Default: every service of this JavaScript environment. */
  service?: RedisService
  /**
   * How long, in milliseconds, calls still work after the signal, while `healthHandler` responds with 503: at least the time in which the load
   * balancer notices. If there are several calls for a signal, the longest time applies to all. Default `0`.
   */
  beforeMs?: number
  /** How long calls in flight may take after that, in milliseconds. Default `5000`. */
  drainMs?: number
}
