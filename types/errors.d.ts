/**
 * What went wrong, to branch on. Stable.
 *
 * | code | meaning | may the same call succeed later? |
 * |---|---|---|
 * | `E_INVALID_ARGUMENT` | the caller passed something that cannot be meant | no |
 * | `E_INVALID_SETTINGS` | an option or environment variable has a value that cannot be meant | no |
 * | `E_UNAVAILABLE` | no connection to the server, it was lost under a read, or its circuit breaker is open; nothing was changed | yes |
 * | `E_NOT_SENT` | it waited until its deadline passed or its connection ended; nothing was sent | yes |
 * | `E_BACKPRESSURE` | too much is waiting: for the server, and nothing was sent; or for a subscription with `overflow: 'error'`, which has ended | yes |
 * | `E_TIMEOUT` | a read was sent, and its deadline passed before an answer came | yes |
 * | `E_MAYBE_APPLIED` | a write was sent, and no answer came before the connection or its time was lost: it may or may not have been applied; or a call of several steps was done in part, whatever ended it | no |
 * | `E_ABORTED` | your `AbortSignal` ended it | no |
 * | `E_CLOSED` | the service was disconnected by its owner | no |
 * | `E_AUTH` | the server refused the user name or password, or the permission | no |
 * | `E_WRONG_TYPE` | the key holds another type of value | no |
 * | `E_OUT_OF_MEMORY` | the server has no memory left for this write | yes |
 * | `E_SERVER` | the server answered with another error | no |
 * | `E_INVALID_DATA` | a stored value was not written by this library, or the reply is invalid for the command | no |
 * | `E_LOCK_HELD` | somebody else holds the lock | yes |
 * | `E_LOCK_LOST` | the lock was lost while its operation ran; the reason with which the signal of `withLock` aborts | no |
 * | `E_CONFLICT` | other writers kept changing the value; nothing was written | yes |
 * | `E_JOB_FAILED` | the job is dead: its last attempt failed, or no other would have helped; `cause` is what its handler threw | no |
 * | `E_JOB_GONE` | the job was removed, has finished and was not kept, or is another worker's by now | no |
 * | `E_UNSUPPORTED` | this engine or server cannot do that | no |
 * | `E_INTERNAL` | a bug in this library; the process is unharmed | no |
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
  | 'E_JOB_FAILED'
  | 'E_JOB_GONE'
  | 'E_UNSUPPORTED'
  | 'E_INTERNAL'

/**
 * Every failure of this package. `instanceof` also recognises the errors of another copy of the package in the same
 * process.
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
  /** An error of your own with one of these codes. `code` defaults to `E_INTERNAL`, `retryable` to `false`. */
  constructor(message: string, details?: { code?: ErrorCode; retryable?: boolean; cause?: unknown })
  /** Always `'CinnabarError'`. */
  readonly name: 'CinnabarError'
  /** What went wrong, to branch on. */
  readonly code: ErrorCode
  /**
   * Whether the same call may succeed later with nothing changed by the caller, and it is certain that this one has changed nothing.
   * Always `false` for `E_MAYBE_APPLIED`: whether a second call does no harm is for its caller to know. `set` and `destroySession` do
   * none; `queue.add` without an `id` adds another job, and `createSession` another session.
   */
  readonly retryable: boolean
  /** The operation that failed, in capitals: `'GET'`, `'CREATE SESSION'`. Missing if no call was made, as for invalid options. */
  readonly command?: string
  /**
   * The first 64 characters of its key. Missing for keys that are secret or identify a person, whatever call used them: those that
   * begin with the prefix of sessions or rate limits, the default one or that of a manager of this process.
   */
  readonly key?: string
  /**
   * What is known to be done by a call of several steps that rejected with `E_MAYBE_APPLIED`; more may have been done. Missing for
   * other codes and calls.
   *
   * - a number, where the call returns one: how many keys (`del`, `unlink`, `invalidate`, `invalidateByPattern`), sessions and
   *   validated tokens (`destroySession`, `destroyByTag`, `invalidateUser`) or jobs (`drain`, `clean`, `redrive`)
   * - an array of strings, where the call takes a list: the keys that `setMany` stored, the ids of the jobs that `addMany` added or
   *   found. It is not enumerable, so loggers do not copy it.
   */
  readonly done?: number | readonly string[]
  /** What caused it, where something did. */
  readonly cause?: unknown
}
