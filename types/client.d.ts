import type { CallLimits } from './calls.js'
import type { BufferCommands, BufferReply, Commands, Reply, Storable } from './commands.js'
import type { Multi } from './multi.js'

/** Options of `sendCommand`. */
export interface SendOptions {
  /** Whether to return strings in the reply as `Buffer`s. Default `false`. */
  buffers?: boolean
}

/**
 * The raw client: Redis commands, named as in node-redis. Keys are sent unchanged: no prefix, no escaping. An invalid argument, or one
 * too many or too few, rejects with `E_INVALID_ARGUMENT` before anything is sent; the message names command and argument.
 */
export interface RawClient extends Commands, BufferCommands {
  /** Whether there is a connection now; for a cluster, to any of its nodes. */
  readonly isReady: boolean
  /**
   * Returns the same client with its commands, including transactions, bound to a deadline, a signal or both. If bound again, the shorter
   * time and every signal apply.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option.
   */
  with(limits: CallLimits): RawClient
  /** Creates a transaction, which collects commands. */
  multi(): Multi<[]>
  /**
   * Sends any command, its name first, and returns the raw reply. Commands known to reply exactly once, without blocking, use the
   * service's connections. Any other command gets a connection of its own, closed afterwards: blocking commands such as `BLPOP`,
   * and unknown ones, such as those of some modules. These are not ordered relative to other calls.
   *
   * A blocking command waits for its own timeout, at most as long as `with({ timeoutMs })` allows. With the timeout `0` (forever)
   * it waits until the call's deadline, then rejects with `E_TIMEOUT`, and no element has been removed.
   *
   * In a cluster `SCRIPT LOAD`, `SCRIPT FLUSH`, `FUNCTION LOAD`, `DELETE`, `FLUSH` and `RESTORE`, `FLUSHALL`, `FLUSHDB`,
   * `DBSIZE`, `KEYS` and `SCRIPT EXISTS` are sent to every primary; any other command without a key is sent to one of them.
   *
   * @throws {CinnabarError} `E_UNSUPPORTED` for commands that are invalid on a shared connection (`SUBSCRIBE`, `MONITOR`,
   * `MULTI`, `WATCH`, `SELECT`, `AUTH`, `CLIENT REPLY`, `WAIT` …), with an alternative in the message; and for commands that the
   * embedded engine does not have.
   */
  sendCommand<T = Reply>(
    args: readonly Storable[],
    options?: SendOptions & CallLimits & { buffers?: false },
  ): Promise<T>
  /** Sends any command and returns the raw reply, with a `Buffer` for each string. */
  sendCommand<T = BufferReply>(args: readonly Storable[], options: SendOptions & CallLimits): Promise<T>
  /**
   * Returns pages of keys, as `scan` does, until the whole keyspace has been scanned. A key may occur twice.
   *
   * @example
   * for await (const keys of client.scanIterator({ MATCH: 'user:*', COUNT: 100 })) await client.unlink(keys)
   */
  scanIterator(options?: { MATCH?: string; COUNT?: number }): AsyncGenerator<string[], void, undefined>
}
