import type { RedisService } from './index.js'

/**
 * Moves the clock of the embedded engine forward, so that a test does not have to wait for a ttl.
 *
 * @param service A service with a `memory:` URL; others reject with `E_UNSUPPORTED`.
 * @param ms How far, in milliseconds, at least 0.
 *
 * @example
 * await sessions.storeSession('id', {}, 60)
 * await advanceTime(service, 60_000)
 * await sessions.getSession('id') // null
 */
export function advanceTime(service: RedisService, ms: number): Promise<void>
