import type { CallLimits } from './calls.js'
import type { RedisService } from './service.js'
import type { SessionManagerOptions } from './session.js'

/** Options of a `DistributedLock`. */
export interface DistributedLockOptions {
  /**
   * The prefix of the keys. Default `'lock:'`. It must not overlap with another prefix: see {@link SessionManagerOptions.prefix}.
   */
  prefix?: string
}

/** The second argument that `withLock` passes to its operation. */
export interface LockContext {
  /** Aborts with `E_LOCK_LOST` when the lock is lost. */
  readonly signal: AbortSignal
}

/**
 * Distributed locks: a token with a ttl under `lock:{resource}`. Every method also exists as a static one, on the default service.
 *
 * A resource that is empty, over 64 KiB, or has a NUL or a lone surrogate cannot be locked: `acquireLock` and `withLock` reject with
 * `E_INVALID_ARGUMENT`; `releaseLock` and `extendLock` return `false`, also for such a token.
 *
 * Without a server no lock is granted: every method rejects. On a service with `onUnavailable: 'empty'`, `acquireLock` returns `null`,
 * and `releaseLock` and `extendLock` return `false`. But `withLock` rejects, and so do `releaseLock` and `extendLock` with the token of
 * a running `withLock`; its lock does not count as lost because of that.
 *
 * @example
 * await DistributedLock.withLock(`order:${id}`, () => charge(id))
 */
export interface DistributedLock {
  /**
   * Returns the same locks with their calls bound to a deadline, a signal or both. A signal ends the wait of `withLock` for its lock. It
   * does not prevent the release of a lock that was acquired, nor does it end `operation`, which may check the signal itself. If bound
   * again, the shorter time and every signal apply.
   *
   * @example
   * await DistributedLock.with({ signal }).withLock(`order:${id}`, () => charge(id))
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option.
   */
  with(limits: CallLimits): DistributedLock
  /**
   * Acquires the lock for `ttlSeconds` (30); returns the token to release it with, or `null` if the lock is held already. After
   * `E_MAYBE_APPLIED` or `E_ABORTED` the lock may have been acquired with a token that no caller received: this process then releases
   * it as soon as the store is reachable, and in any case it is free again after `ttlSeconds`.
   */
  acquireLock(resource: string, ttlSeconds?: number): Promise<string | null>
  /** Releases the lock if this token still holds it, otherwise returns `false`. A server that restarted without its data has lost the lock. */
  releaseLock(resource: string, token: string): Promise<boolean>
  /** Sets the remaining ttl of the lock to `ttlSeconds` (30) if this token still holds it, otherwise returns `false`. */
  extendLock(resource: string, token: string, ttlSeconds?: number): Promise<boolean>
  /**
   * Runs `operation` while holding the lock, and returns its result. Rejects with `E_LOCK_HELD` if the lock is held already, and with
   * the operation's own error if it fails. The lock is always released; if the release fails, it expires after `ttlSeconds` (30).
   *
   * `operation` gets the token, with which it can extend the lock, and a `signal` that aborts when the lock is lost: its ttl has passed,
   * by this process's clock since the lock was requested, or `extendLock` or `releaseLock` with its token returned `false`. An operation
   * that continues after that no longer has exclusive access; its result is returned all the same, and the loss is logged
   * (`lock-lost`). `options` limit how long acquiring the lock may take.
   *
   * @example
   * await DistributedLock.withLock('report', async (token, { signal }) => {
   *   for (const page of pages) {
   *     signal.throwIfAborted()
   *     await write(page, { signal })
   *   }
   * })
   */
  withLock<T>(
    resource: string,
    operation: (token: string, context: LockContext) => T | Promise<T>,
    ttlSeconds?: number,
    options?: CallLimits,
  ): Promise<T>
}

/** Creates a `DistributedLock`; has each of its methods too, on the default service. */
export interface DistributedLockConstructor extends DistributedLock {
  /**
   * Without a service it uses the default one, which reads its settings from the environment on its first call.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option, or if `service` is not a `RedisService`.
   * `E_INVALID_SETTINGS` for an invalid prefix, or one that overlaps with another.
   */
  new (service?: RedisService, options?: DistributedLockOptions): DistributedLock
  readonly prototype: DistributedLock
}

export const DistributedLock: DistributedLockConstructor
