import type { CallLimits } from './calls.js'
import type { RedisService } from './service.js'
import type { SessionManagerOptions } from './session.js'

/** Options of a `DistributedLock`. */
export interface DistributedLockOptions {
  /**
   * The prefix of the keys. Default `'lock:'`. It must not overlap with another prefix: see {@link SessionManagerOptions.prefix}.
   */
  prefix?: string
  /**
   * What this process is called as a holder of locks, in their tokens, in `info` and `list`: 1 to 128 bytes. Default: the name of the machine and
   * the process id, `web-1:4711`.
   */
  holder?: string
}

/**
 * Whom a lock excludes: `'write'` every other holder, `'read'` only writers.
 *
 * A reader that arrives while a writer waits does not join the readers that hold the lock, so that the writer is not starved; without `wait` its
 * call rejects. When the last reader has left, writers and readers that wait have the same chance, unless they wait in turn ({@link LockWait.fair}):
 * then a reader whose turn it is waits only for writers that do not wait in turn. The entry of a process that died while it waited to write keeps
 * readers from joining for up to 30 s. A reader that acquires the lock once more may wait for a writer that waits for that reader: use
 * {@link Lock.child}.
 */
export type LockMode = 'read' | 'write'

/** How to wait for a lock that another caller holds. */
export interface LockWait {
  /**
   * How long to wait, in milliseconds, counted from the call. Default `30000`. The first request may take up to the service's `timeoutMs`, even if
   * that is longer.
   */
  timeoutMs?: number
  /** Ends the wait when it aborts. */
  signal?: AbortSignal
  /**
   * Whether to wait in turn: first come, first served, across processes. The order is that in which the server received the calls. Within a
   * process, calls of one object with the same limits are sent in their order; no order is promised between objects, or between different
   * limits. A call without `fair` may overtake. A caller loses its place if it cannot reach the server for 5 s, or if the server loses its data.
   * If a process dies while it waits, those behind it wait up to 5 s longer. Default `false`.
   */
  fair?: boolean
}

/** How many replicas have to store a lock. */
export interface LockReplicas {
  /** How many, from 1 to 1000. Default `1`. */
  count?: number
  /** Within what time, in milliseconds. Default `1000`. */
  timeoutMs?: number
}

/** Options of `acquire`. */
export interface AcquireOptions {
  /** How long the lock lasts without being renewed, in seconds: after the death of its process it is free within that time. Default `30`. */
  ttlSeconds?: number
  /**
   * How long the lock is renewed, in seconds, so that code that hangs cannot hold it for ever. After that it expires, and counts as lost.
   * Default `3600`.
   */
  maxHoldSeconds?: number
  /**
   * If the event loop has not run for so long, in seconds, because it is blocked or its thread hangs, the lock is not renewed until it runs again:
   * it is lost when its ttl ends. Less than 0.05 counts as 0.05. Default: none, so that it is renewed however busy JavaScript is, for
   * `maxHoldSeconds`.
   */
  heartbeatSeconds?: number
  /** Whether others may hold the lock at the same time, see {@link LockMode}. Default `'write'`: no other. */
  mode?: LockMode
  /**
   * Waits until replicas have stored the lock too (`WAIT`), so that it is there if one of them takes over. If fewer have within the time, the lock is
   * released, and the call rejects with `E_UNAVAILABLE`. It makes a loss by a fail-over less likely, not impossible: a replica that has not stored
   * it may take over, and renewals are not waited for. {@link Lock.fence} grows nevertheless. Each call takes a connection of its own. Not on the
   * embedded store.
   */
  replicas?: LockReplicas
  /** Waits while another caller holds the lock. Without it, the call rejects at once. */
  wait?: LockWait
}

/** Options of `withLock`. */
export interface WithLockOptions extends CallLimits {
  /** As in {@link AcquireOptions.maxHoldSeconds}. Default `3600`. */
  maxHoldSeconds?: number
  /** As in {@link AcquireOptions.heartbeatSeconds}. Default: none. */
  heartbeatSeconds?: number
  /** As in {@link AcquireOptions.mode}. Default `'write'`. */
  mode?: LockMode
  /** As in {@link AcquireOptions.replicas}. Default: not waited for. */
  replicas?: LockReplicas
  /** As in {@link AcquireOptions.wait}. */
  wait?: LockWait
  /** If another holder has the lock, at the end of `wait` too (`timeoutMs` alone does not wait), resolves to `undefined` without running the operation, instead of rejecting. Default `false`. */
  skipIfHeld?: boolean
}

/**
 * What happened to a lock that was to be released: it was held and is free now; it was no longer held; or the store did not confirm it. In
 * the last case the release is tried again, and the lock expires after its ttl at the latest.
 */
export type ReleaseOutcome = 'released' | 'already-lost' | 'unknown'

/**
 * A lock that this process holds. It is renewed at a third of its ttl by a thread of its own, however busy JavaScript is, until it is
 * released, has been held for `maxHoldSeconds`, or is lost. While it is held, it keeps the process alive and delays `disconnect()`; when
 * the time of that is over, it is lost. Its thread or process renews nothing after its own end.
 *
 * @example
 * await using lock = await DistributedLock.acquire('invoice:7', { ttlSeconds: 10 })
 * await sendInvoice(7, { signal: lock.signal })
 */
export interface Lock {
  /** What it locks. */
  readonly resource: string
  /** Whom it excludes. */
  readonly mode: LockMode
  /**
   * The token that `extendLock` and `releaseLock` accept too: 32 random hexadecimal digits, `:`, and the name of the holder. It is the value of
   * `lock:{resource}`, or if `mode` is `'read'`, an element of `lock:{lock:{resource}}:readers` with `read:` before it.
   */
  readonly token: string
  /**
   * A fencing token: a safe integer, higher than that of any earlier `acquire`, `acquireAll` or `withLock` of this resource. A store that keeps the highest
   * one it has seen, and refuses what comes with a lower one, is safe from a holder that does not know yet that it has lost the lock. It
   * grows even if the server has lost its data, as long as its clock is not behind the last one; it is remembered for 7 days.
   */
  readonly fence: number
  /**
   * Whether no other caller can have the lock yet, by the monotonic clock of this process, counted from before the last request that renewed
   * it. `false` from a tenth of the ttl (at most 2 s) before its end on, and once it is released. On Linux and macOS that clock stands still
   * while the whole machine sleeps: a lock that expired meanwhile is found lost at its next renewal only, within a third of its ttl. Where
   * that matters, let the storage check `fence`.
   */
  readonly held: boolean
  /**
   * Aborts with `E_LOCK_LOST` when the lock is lost: another holder was found, or it could not be renewed and a tenth of its ttl (at most
   * 2 s) is left. Its `aborted` and `throwIfAborted()` look at the clock, so they are right also at once after the process was suspended, but not
   * after the whole machine slept: see `held`.
   */
  readonly signal: AbortSignal
  /**
   * Sets the remaining ttl to `ttlSeconds` (30), with which it is renewed from now on; it may be longer than `maxHoldSeconds`. Resolves to
   * `false` if the lock was lost or released. Rejects if the store is unavailable, by which the lock is not lost.
   */
  extend(ttlSeconds?: number): Promise<boolean>
  /**
   * Returns another handle of the same lock, for code that would acquire it itself, and releases what it gets. The lock is released once it and
   * all children are: `release()` of this one waits for them, as does `withLock`. `release()` of a child resolves to `'released'` if the lock was
   * held until then. Throws `E_LOCK_LOST` if the lock is not held, or is being released.
   *
   * @example
   * async function book(order, lock) {
   *   await using own = lock?.child() ?? (await locks.acquire(`order:${order.id}`))
   *   await pay(order, own.fence)
   * }
   */
  child(): Lock
  /** Releases the lock, and says what happened to it. Never rejects because of the server. Calling it again returns the same. */
  release(): Promise<ReleaseOutcome>
  /** Releases the lock. */
  [Symbol.asyncDispose](): Promise<void>
}

/** The locks of several resources. Each is renewed like any {@link Lock}, and can be extended on its own. If one is lost, the group is lost. */
export interface LockGroup {
  /** One lock per resource, sorted by resource, without duplicates: `locks[0]` need not be the first resource that was passed. */
  readonly locks: readonly Lock[]
  /** Whether all of them are held: see {@link Lock.held}. */
  readonly held: boolean
  /** Aborts with `E_LOCK_LOST` when one of them is lost: see {@link Lock.signal}. */
  readonly signal: AbortSignal
  /** Releases all of them. Returns what happened to each, in the order of `locks`. Calling it again returns the same. */
  release(): Promise<ReleaseOutcome[]>
  /** Releases all of them. */
  [Symbol.asyncDispose](): Promise<void>
}

/** What the store knows of a lock. */
export interface LockInfo {
  /** Whether a holder has it. */
  held: boolean
  /** Whether readers hold it or a writer; `null` if it is free. */
  mode: LockMode | null
  /**
   * The names of those that hold it with `acquire`, `acquireAll` or `withLock`: one, or all readers. Empty if it is free, or held with
   * `acquireLock`.
   */
  holders: string[]
  /**
   * When it was acquired, in milliseconds since 1970 by the store's clock; if readers hold it, when a reader last did. `null` if there are no
   * `holders`.
   */
  acquiredAt: number | null
  /** Its remaining ttl in milliseconds, `0` if it is free; `null` if another program set it without a ttl. */
  ttlMs: number | null
  /** The last fencing token of the resource; `null` if none is remembered. `acquireLock` makes none. */
  fence: number | null
  /** How many wait for it: one for each process, plus one for each call that waits in turn ({@link LockWait.fair}). */
  waiting: number
}

/** A lock that is held, as `list` returns it. */
export interface HeldLock extends LockInfo {
  /** What it locks. */
  resource: string
}

/** The second argument that `withLock` passes to its operation. */
export type LockContext = Lock

/**
 * Distributed locks: a token with a ttl under `lock:{resource}`. Every method also exists as a static one, on the default service.
 *
 * A resource that is empty, over 64 KiB, or has a NUL or a lone surrogate cannot be locked: `acquire`, `acquireAll`, `acquireLock` and
 * `withLock` reject with `E_INVALID_ARGUMENT`; `releaseLock` and `extendLock` return `false`, also for such a token.
 *
 * Without a server no lock is granted: every method rejects. On a service with `onUnavailable: 'empty'`, `acquireLock` returns `null`,
 * and `releaseLock` and `extendLock` return `false`. But `acquire`, `acquireAll` and `withLock` reject, and so do `releaseLock` and `extendLock` with the
 * token of a lock that `acquire` or `withLock` holds; it does not count as lost because of that.
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
   * Acquires the lock, and renews it until it is released. Rejects with `E_LOCK_HELD` if another holder has it, and with `E_LOCK_LOST` if it
   * was granted so late that it is lost already. After `E_MAYBE_APPLIED` or `E_ABORTED` it is released as with `acquireLock`.
   *
   * With `wait` it waits for the lock: a message wakes it when the lock is released, and it asks again when the ttl of its holder ends, and
   * every few seconds in case the message was lost, or the ttl became shorter. Callers of one process get the lock in the order in which they began to wait, while one
   * that does not wait, or another process, may come first; with `wait: { fair: true }`, the order holds between processes too. When the time is over, it rejects with `E_LOCK_HELD`, or with the error of the
   * server if that could not be asked last. It rejects with `E_ABORTED` or `E_CLOSED` when the signal aborts or the service is disconnected.
   * The lock is not acquired then, or is released, for which `disconnect()` waits.
   *
   * @example
   * const lock = await DistributedLock.acquire('invoice:7', { ttlSeconds: 10 })
   * try {
   *   await db.query('UPDATE invoices SET total = $1, fence = $2 WHERE id = 7 AND fence <= $2', [total, lock.fence])
   * } finally {
   *   await lock.release()
   * }
   */
  acquire(resource: string, options?: AcquireOptions): Promise<Lock>
  /**
   * Acquires the locks of several resources, one after the other in sorted order, so that callers of `acquireAll` that hold no other locks cannot
   * deadlock. Duplicates are acquired once. `ttlSeconds` and `maxHoldSeconds` apply to each lock; `wait.timeoutMs` and the limits of `with()` apply
   * to the whole call. Rejects as `acquire` does, after releasing what it had acquired.
   *
   * @example
   * await using both = await DistributedLock.acquireAll([`account:${from}`, `account:${to}`], { wait: { timeoutMs: 5000 } })
   * await transfer(from, to, amount, { signal: both.signal })
   */
  acquireAll(resources: readonly string[], options?: AcquireOptions): Promise<LockGroup>
  /**
   * Acquires the lock for `ttlSeconds` (30); returns the token to release it with, or `null` if the lock is held already. After
   * `E_MAYBE_APPLIED` or `E_ABORTED` the lock may have been acquired with a token that no caller received: this process then releases
   * it as soon as the store is reachable, and in any case it is free again after `ttlSeconds`.
   */
  acquireLock(resource: string, ttlSeconds?: number): Promise<string | null>
  /** Describes a lock, held by anyone, for a person or a dashboard to read: it may have changed by then. Rejects without a server. */
  info(resource: string): Promise<LockInfo>
  /**
   * Iterates over the locks under the prefix that are held, each once, in no order, for a person or a dashboard: the server visits all keys of its
   * database, a thousand at a time. A lock that is acquired or released meanwhile may be missing. Resources of more than 512 bytes in UTF-8 are left
   * out, since their keys do not show them. Rejects without a server.
   *
   * @example
   * for await (const { resource, holders, ttlMs } of DistributedLock.list()) console.log(resource, holders, ttlMs)
   */
  list(): AsyncIterableIterator<HeldLock>
  /** Releases the lock if this token still holds it, otherwise returns `false`. A server that restarted without its data has lost the lock. */
  releaseLock(resource: string, token: string): Promise<boolean>
  /** Sets the remaining ttl of the lock to `ttlSeconds` (30) if this token still holds it, otherwise returns `false`. */
  extendLock(resource: string, token: string, ttlSeconds?: number): Promise<boolean>
  /**
   * Runs `operation` while holding the lock, and returns its result. Rejects as `acquire` does, without running it, and with the
   * operation's own error if it fails. The lock lasts for `ttlSeconds` (30), and is renewed while the operation runs, up to
   * `maxHoldSeconds`. It is always released; if the release fails, it expires.
   *
   * `operation` gets the token and the {@link Lock}, whose `signal` aborts when the lock is lost. An operation that continues after that no
   * longer has exclusive access: `withLock` then rejects with `E_LOCK_LOST` although the operation has succeeded, with its result as
   * `error.result`, and the loss is logged (`lock-lost`). `signal` and `timeoutMs` limit how long acquiring the lock may take.
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
    operation: (token: string, lock: Lock) => T | Promise<T>,
    ttlSeconds?: number,
    options?: WithLockOptions & { skipIfHeld?: false },
  ): Promise<T>
  withLock<T>(
    resource: string,
    operation: (token: string, lock: Lock) => T | Promise<T>,
    ttlSeconds: number | undefined,
    options: WithLockOptions,
  ): Promise<T | undefined>
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
