import type { CallLimits } from './calls.js'
import type { RedisService } from './service.js'
import type { SessionManagerOptions } from './session.js'

/** Options of a `DistributedLock`. */
export interface DistributedLockOptions {
  /**
   * What the keys begin with. Default `'lock:'`. Must not overlap with another prefix: see
   * {@link SessionManagerOptions.prefix}.
   */
  prefix?: string
}

/** What `withLock` passes to its operation beside the token. */
export interface LockContext {
  /** Aborts with `E_LOCK_LOST` once the lock is lost. */
  readonly signal: AbortSignal
}

/**
 * Locks between processes: a token under `lock:{resource}` that dies by itself. Every method also exists as a static
 * one, on the default service.
 *
 * Nothing is locked under a resource that is empty, has over 64 KiB, a NUL or a lone surrogate: `acquireLock` and `withLock` reject
 * with `E_INVALID_ARGUMENT`; `releaseLock` and `extendLock` return `false`, as for such a token.
 *
 * Without a server nothing is granted: every method rejects. On a service with `onUnavailable: 'empty'`, `acquireLock` returns
 * `null`, `releaseLock` and `extendLock` return `false`; but `withLock` rejects, and so do those two with the token of a running
 * `withLock`, whose lock is not lost by that.
 *
 * @example
 * await DistributedLock.withLock(`order:${id}`, () => charge(id))
 */
export interface DistributedLock {
  /**
   * The same locks with their calls bound to a deadline, a signal or both. A signal keeps `withLock` from waiting for the lock,
   * not from releasing it: a lock that it got is always released. It does not end `operation`, which may look at it itself.
   * Bound once more, the shorter time and every signal count.
   *
   * @example
   * await DistributedLock.with({ signal }).withLock(`order:${id}`, () => charge(id))
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or bad option.
   */
  with(limits: CallLimits): DistributedLock
  /**
   * Takes the lock for `ttlSeconds` (30); returns the token that releases it, or `null` when somebody else holds it. After
   * `E_MAYBE_APPLIED` or `E_ABORTED` the lock may have been acquired with a token that no caller received: this process then
   * releases it as soon as the store is reachable, and in any case it is free again after `ttlSeconds`.
   */
  acquireLock(resource: string, ttlSeconds?: number): Promise<string | null>
  /** Releases the lock if it is still held by this token; `false` when it is not. A server that restarted has forgotten it. */
  releaseLock(resource: string, token: string): Promise<boolean>
  /** Sets the remaining life of the lock to `ttlSeconds` (30) if it is still held by this token; `false` when it is not. */
  extendLock(resource: string, token: string, ttlSeconds?: number): Promise<boolean>
  /**
   * Runs `operation` while holding the lock, and returns its result. Rejects with `E_LOCK_HELD` if the lock is held elsewhere,
   * and with the operation's own error if it fails. The lock is always released; if the release fails, it expires after
   * `ttlSeconds` (30). `operation` gets the token, with which it can extend the lock, and a `signal` that aborts once the lock is
   * lost: its ttl has passed, by this process's clock since the lock was requested, or `extendLock` or `releaseLock` with its
   * token returned `false`. An operation that continues after that no longer has exclusive access; its result is returned all the
   * same, and the loss is logged (`lock-lost`).
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
  ): Promise<T>
}

/** Makes a `DistributedLock`; also has each of its methods, on the default service. */
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
