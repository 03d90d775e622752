import type { SendOptions } from './client.js'
import type { BufferCommands, BufferReply, Commands, Reply, Storable } from './commands.js'
import type { CinnabarError } from './errors.js'

/**
 * Commands collected to run as one transaction, by `MULTI` and `EXEC`: nothing is sent before `exec()`, and no other client's
 * command runs in between. In a cluster all keys must share a slot, or it rejects with `E_UNSUPPORTED`; commands without a key
 * run on the node of that slot.
 *
 * `Results` are the types of the results, as far as they are known: those of one chain of calls. Where commands are added in a loop
 * or by statements, annotate the variable as `Multi`; then they are `unknown`.
 *
 * @example
 * const [[error, hits]] = await client.multi().incr('hits').expire('hits', 60).exec()
 * if (error) throw error
 * console.log(hits + 1)
 *
 * @example
 * const multi: Multi = client.multi()
 * for (const key of keys) multi.incr(key)
 * const results = await multi.exec<number>()
 */
export type Multi<Results extends readonly unknown[] = unknown[]> = {
  /** Adds this command. */
  [Name in keyof (Commands & BufferCommands)]: (
    ...args: AnyParameters<(Commands & BufferCommands)[Name]>
  ) => Multi<Appended<Results, ValueOf<(Commands & BufferCommands)[Name]>>>
} & {
  /**
   * Adds any command: its name, then its arguments. Rejects the same commands as the client's `sendCommand`; blocking commands do not
   * block.
   */
  sendCommand<T = Reply>(
    args: readonly Storable[],
    options?: SendOptions & { buffers?: false },
  ): Multi<Appended<Results, T>>
  /** Adds any command, with a `Buffer` for each string of its reply. */
  sendCommand<T = BufferReply>(args: readonly Storable[], options: SendOptions): Multi<Appended<Results, T>>
  /**
   * Runs the collected commands; returns `[error, value]` for each in order, with `error` being `null` on success. A failed
   * command does not undo the others. Rejects with `E_INVALID_ARGUMENT`, with nothing sent, if an argument was invalid, missing
   * or one too many, or if `exec()` was called before; and with the server's error, with nothing executed, if the server rejects a
   * command of `sendCommand` or its number of arguments.
   */
  exec(): Promise<MultiResults<Results>>
  /** Runs the collected commands, each of which returns a `T`. */
  exec<T>(): Promise<MultiResult<T>[]>
}

/** The result of one command of a transaction: its value, or the error with which it failed. */
export type MultiResult<T = unknown> = [error: null, value: T] | [error: CinnabarError, value: null]

/** The results of a transaction, in the order of its commands; `MultiResult[]` if these are not known. */
export type MultiResults<Results extends readonly unknown[] = unknown[]> = Results extends readonly []
  ? MultiResult[]
  : { [Index in keyof Results]: MultiResult<Results[Index]> }

type Appended<Results extends readonly unknown[], T> = number extends Results['length'] ? Results : [...Results, T]

/** The type with which the promise of a function of up to two overloads resolves. */
type ValueOf<F> = F extends { (...args: any): Promise<infer A>; (...args: any): Promise<infer B> } ? A | B : never

/** The arguments of a function of up to two overloads. */
type AnyParameters<F> = F extends { (...args: infer A): any; (...args: infer B): any } ? A | B : never

// Nothing else is exported.
export {}
