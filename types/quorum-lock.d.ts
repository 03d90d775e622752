import type { DistributedLockOptions, Lock, LockWait, ReleaseOutcome } from './lock.js'
import type { RedisService } from './service.js'

/** Options of `acquire`. */
export interface QuorumAcquireOptions {
  /** How long the lock lasts on each server without being renewed, in seconds. Default `30`. */
  ttlSeconds?: number
  /** How long the lock is renewed, in seconds. Default `3600`. */
  maxHoldSeconds?: number
  /** Tries again, every 50 to 150 ms, until a quorum has granted the lock. Without it, the call tries once. */
  wait?: Pick<LockWait, 'timeoutMs' | 'signal'>
}

/** Options of `withLock`. */
export type QuorumRunOptions = Omit<QuorumAcquireOptions, 'ttlSeconds'>

/** A lock that a quorum of servers has granted. It has one part per server, which is renewed, and keeps the process alive, like a {@link Lock}. */
export interface QuorumLockHandle {
  /** What it locks. */
  readonly resource: string
  /** Whether a quorum of its parts is held: see {@link Lock.held}. */
  readonly held: boolean
  /** Aborts with `E_LOCK_LOST` when too few of its parts are left: see {@link Lock.signal}. */
  readonly signal: AbortSignal
  /** Sets the remaining ttl to `ttlSeconds` (30) on each server. Resolves to whether a quorum extended it; rejects if that is unknown. */
  extend(ttlSeconds?: number): Promise<boolean>
  /** Releases the lock on all servers. Returns what happened on a quorum of them. Calling it again returns the same. */
  release(): Promise<ReleaseOutcome>
  /** Releases the lock. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Locks that a majority of at least three independent servers has to grant (the Redlock algorithm). They survive the loss of a minority of the
 * servers. The nodes of one Sentinel group or one cluster are not independent.
 *
 * Limits: two callers may hold a lock at once if a server restarts without its data and grants the lock again (keep it down for longer than the
 * longest ttl, or use `appendfsync always`), if clocks run at different rates, or if a process is suspended between a check and a write. There is
 * no fencing token, because independent servers share no counter. If that matters, use a {@link DistributedLock} on one server, and let the
 * storage check its `fence`.
 *
 * @example
 * const locks = new QuorumLock(urls.map((url) => new RedisService({ url })))
 * await locks.withLock('report', ({ signal }) => write(report, { signal }), 30, { wait: { timeoutMs: 5000 } })
 */
export interface QuorumLock {
  /**
   * Acquires the lock. Rejects with `E_LOCK_HELD` if other callers hold it on too many servers, and with `E_UNAVAILABLE` if too few servers
   * reply; the parts that were granted are released. Each server has a tenth of the ttl to reply, 1 s at most.
   */
  acquire(resource: string, options?: QuorumAcquireOptions): Promise<QuorumLockHandle>
  /**
   * Runs `operation` while holding the lock, which is renewed, and returns its result. Rejects with `E_LOCK_LOST` if the lock was lost meanwhile,
   * with the result as `error.result`; the operation's own error is the one that is seen. `ttlSeconds` is 30 by default.
   */
  withLock<T>(
    resource: string,
    operation: (lock: QuorumLockHandle) => T | Promise<T>,
    ttlSeconds?: number,
    options?: QuorumRunOptions,
  ): Promise<T>
}

/** Creates a `QuorumLock`. */
export interface QuorumLockConstructor {
  /**
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for fewer than three services, two services on the same server, or an unknown or invalid option.
   */
  new (services: readonly RedisService[], options?: DistributedLockOptions): QuorumLock
  readonly prototype: QuorumLock
}

export const QuorumLock: QuorumLockConstructor
