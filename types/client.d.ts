import type { CallLimits } from './calls.js'
import type { BufferCommands, BufferReply, Commands, Reply, Storable } from './commands.js'
import type { Multi } from './multi.js'

/** What `sendCommand` returns. */
export interface SendOptions {
  /** Whether strings in the reply are `Buffer`s. Default `false`. */
  buffers?: boolean
}

/**
 * The commands themselves, named as node-redis names them. Keys go out as they are: no prefix, no escaping. An invalid argument,
 * one too many or too few, rejects with `E_INVALID_ARGUMENT` before anything is sent; the message names command and argument.
 */
export interface RawClient extends Commands, BufferCommands {
  /** Whether there is a connection right now; for a cluster, to any of its nodes. */
  readonly isReady: boolean
  /**
   * The same client with its commands, transactions included, bound to a deadline, a signal or both. Bound once more, the
   * shorter time and every signal count. Throws `E_INVALID_ARGUMENT` for a bad option.
   */
  with(limits: CallLimits): RawClient
  /** Collects commands to run as one transaction. */
  multi(): Multi<[]>
  /**
   * Sends any command, its name first, and returns the raw reply. Commands known to reply exactly once, without blocking, use the
   * service's connections. Any other command gets a connection of its own, closed afterwards: blocking commands such as `BLPOP`,
   * and unknown ones, such as those of some modules. These are not ordered with other calls.
   *
   * A blocking command waits for its own timeout, at most as long as `with({ timeoutMs })` allows. With the timeout `0` (forever)
   * it waits until the call's deadline, then rejects with `E_TIMEOUT`, and no element has been removed.
   *
   * In a cluster `SCRIPT LOAD`, `SCRIPT FLUSH`, `FUNCTION LOAD`, `DELETE`, `FLUSH` and `RESTORE`, `FLUSHALL`, `FLUSHDB`,
   * `DBSIZE`, `KEYS` and `SCRIPT EXISTS` are sent to every primary; any other command without a key is sent to one of them.
   *
   * @throws {CinnabarError} `E_UNSUPPORTED` for commands that make no sense on a shared connection (`SUBSCRIBE`, `MONITOR`,
   * `MULTI`, `WATCH`, `SELECT`, `AUTH`, `CLIENT REPLY`, `WAIT` …), with an alternative in the message; and for commands that the
   * embedded engine does not have.
   */
  sendCommand<T = Reply>(args: readonly Storable[], options?: SendOptions & { buffers?: false }): Promise<T>
  /** The same with a `Buffer` for each string of the reply. */
  sendCommand<T = BufferReply>(args: readonly Storable[], options: SendOptions): Promise<T>
  /**
   * Pages of keys, as `scan` returns them, until the whole keyspace has been scanned. A key may occur twice.
   *
   * @example
   * for await (const keys of client.scanIterator({ MATCH: 'user:*', COUNT: 100 })) await client.unlink(keys)
   */
  scanIterator(options?: { MATCH?: string; COUNT?: number }): AsyncGenerator<string[], void, undefined>
}
