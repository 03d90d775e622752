import type { RedisService } from './service.js'

/**
 * Shuts down gracefully on `SIGTERM` and `SIGINT`, or on the given signals: accepts no new calls, waits at most 5 s for those in
 * flight, then ends the process by the same signal, unless it has another listener. A second signal ends the process at once. Drains
 * `service`, or every service of this JavaScript environment. Without this call the package listens to no signal. Worker threads receive
 * no signals.
 *
 * @returns A function that removes the signal handlers.
 * @throws {CinnabarError} `E_INVALID_ARGUMENT` if `signals` is not an array of names of signals that a process can catch, or `service` is not a `RedisService`.
 * @example
 * shutdownOnSignal()
 */
export function shutdownOnSignal(signals?: readonly string[], service?: RedisService): () => void
