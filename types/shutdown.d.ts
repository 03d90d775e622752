import type { RedisService } from './service.js'

/**
 * Drains at `SIGTERM` and `SIGINT`, or the signals given: takes no more calls, waits at most 5 s for those in flight, then
 * ends the process by the same signal, unless somebody else listens to it. A second signal ends it at once. Without this
 * call the package listens to no signal. Drains `service`, or every service of this JavaScript environment. Worker threads
 * get no signals.
 *
 * @returns What takes it back.
 * @throws {CinnabarError} `E_INVALID_ARGUMENT` if `signals` is not an array of names of signals that a process can catch, or `service` is not a `RedisService`.
 * @example
 * shutdownOnSignal()
 */
export function shutdownOnSignal(signals?: readonly string[], service?: RedisService): () => void
