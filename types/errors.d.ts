/**
 * The kind of a failure, for programs to branch on. A code never changes its meaning.
 *
 * | code | meaning | may the same call succeed later? |
 * |---|---|---|
 * | `E_INVALID_ARGUMENT` | an argument is invalid | no |
 * | `E_INVALID_SETTINGS` | an option or environment variable has an invalid value | no |
 * | `E_UNAVAILABLE` | there is no connection to the server, it was lost during a read, or the circuit breaker is open; nothing was changed | yes |
 * | `E_NOT_SENT` | the call waited until its deadline passed or its connection ended; nothing was sent | yes |
 * | `E_BACKPRESSURE` | a queue is full: that of calls to the server, and nothing was sent; or that of a subscription with `overflow: 'error'`, which has ended | yes |
 * | `E_TIMEOUT` | a read was sent, and its deadline passed before the reply | yes |
 * | `E_MAYBE_APPLIED` | a write was sent, and its connection was lost or its deadline passed before the reply, so it may or may not have been applied; or a call of several steps failed after some of them, for any reason | no |
 * | `E_ABORTED` | the caller's `AbortSignal` aborted | no |
 * | `E_CLOSED` | the service was disconnected by its owner | no |
 * | `E_AUTH` | the server refused the user name or password, or the user lacks a permission | no |
 * | `E_WRONG_TYPE` | the key holds another type of value | no |
 * | `E_OUT_OF_MEMORY` | the server has no memory left for this write | yes |
 * | `E_SERVER` | the server replied with another error | no |
 * | `E_INVALID_DATA` | a stored value was not written by this library, or a reply is invalid for its command | no |
 * | `E_LOCK_HELD` | the lock is held already | yes |
 * | `E_LOCK_LOST` | the lock was lost before it was released; its signal aborts with this reason, and `withLock` rejects with it | no |
 * | `E_CONFLICT` | concurrent writers kept changing the value; nothing was written | yes |
 * | `E_TOO_MANY_SESSIONS` | the user has as many sessions as `maxPerUser` allows, and `whenFull` is `'reject'`; none was created | no |
 * | `E_CROSS_SITE` | the request comes from another site, so it may be forged; nothing was changed | no |
 * | `E_JOB_FAILED` | the job is dead: its last attempt failed, or no further one would have helped; `cause` is the error that its handler threw | no |
 * | `E_JOB_GONE` | the job was removed, has finished and was not kept, or belongs to another worker now | no |
 * | `E_UNSUPPORTED` | this engine or server does not support the call | no |
 * | `E_INTERNAL` | a bug in this library; the process continues to work | no |
 */
export type ErrorCode =
  | 'E_INVALID_ARGUMENT'
  | 'E_INVALID_SETTINGS'
  | 'E_UNAVAILABLE'
  | 'E_NOT_SENT'
  | 'E_BACKPRESSURE'
  | 'E_TIMEOUT'
  | 'E_MAYBE_APPLIED'
  | 'E_ABORTED'
  | 'E_CLOSED'
  | 'E_AUTH'
  | 'E_WRONG_TYPE'
  | 'E_OUT_OF_MEMORY'
  | 'E_SERVER'
  | 'E_INVALID_DATA'
  | 'E_LOCK_HELD'
  | 'E_LOCK_LOST'
  | 'E_CONFLICT'
  | 'E_TOO_MANY_SESSIONS'
  | 'E_CROSS_SITE'
  | 'E_JOB_FAILED'
  | 'E_JOB_GONE'
  | 'E_UNSUPPORTED'
  | 'E_INTERNAL'

/**
 * The class of all errors of this package. `instanceof` also recognises errors of another copy of the package in the same process.
 *
 * @example
 * try {
 *   await redisService.get('key')
 * } catch (error) {
 *   if (error instanceof CinnabarError && error.code === 'E_UNAVAILABLE') return fallback()
 *   throw error
 * }
 */
export class CinnabarError extends Error {
  /** Creates an error of your own. `code` defaults to `E_INTERNAL`, `retryable` to `false`. */
  constructor(message: string, details?: { code?: ErrorCode; retryable?: boolean; cause?: unknown })
  /** Always `'CinnabarError'`. */
  readonly name: 'CinnabarError'
  /** The kind of the failure. */
  readonly code: ErrorCode
  /**
   * Whether the same call may succeed later without any change by the caller, and this one certainly changed nothing. Always `false`
   * for `E_MAYBE_APPLIED`: only the caller knows whether a repetition does harm. Repeating `set` or `destroySession` does none, but
   * `queue.add` without an `id` adds another job, and `createSession` another session.
   */
  readonly retryable: boolean
  /**
   * The first word of the server's error reply that is or caused this failure: `'WRONGTYPE'`, `'LOADING'`, `'BUSYGROUP'`, or `'ERR'` for
   * errors without a more specific code. Missing if the server sent none.
   */
  readonly serverCode?: string
  /** The operation that failed, in capitals: `'GET'`, `'CREATE SESSION'`. Missing if none was called, as for invalid options. */
  readonly command?: string
  /**
   * The first 64 characters of the operation's key. Missing for keys that are secret or identify a person, in any operation: those that
   * begin with the prefix of sessions or rate limits, the default one or that of a manager in this process.
   */
  readonly key?: string
  /**
   * The part that is known to be done of a call of several steps that rejected with `E_MAYBE_APPLIED`; more may have been done. Missing
   * for other codes and calls.
   *
   * - a number, if the call returns one: the number of keys (`del`, `unlink`, `invalidate`, `invalidateByPattern`), sessions and
   *   validated tokens (`destroySession`, `destroyByTag`, `invalidateUser`) or jobs (`drain`, `clean`, `redrive`)
   * - an array of strings, if the call takes a list: the keys that `setMany` stored, or the ids of the jobs that `addMany` added or
   *   found. The property is not enumerable, so loggers do not copy it.
   */
  readonly done?: number | readonly string[]
  /** With `E_LOCK_LOST` of `withLock`, what its operation has returned. Not enumerable, so loggers do not copy it. */
  readonly result?: unknown
  /** The cause of the failure, if it is known. */
  readonly cause?: unknown
}
