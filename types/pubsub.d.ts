import type { CinnabarError } from './errors.js'
import type { JsonInput } from './json.js'

/** Gets each message. May be asynchronous; nobody waits for it. */
export type MessageHandler<T = unknown> = (value: T, channel: string) => unknown

/** How to publish. */
export interface PublishOptions {
  /**
   * Whether the channel is a sharded one (`SPUBLISH`): only those who subscribed with `sharded` hear it. In a cluster, messages
   * of other channels travel to every node. Redis 7 or later, or Valkey. Default `false`.
   */
  sharded?: boolean
}

/** How to subscribe, with a handler or without. */
export interface StreamOptions {
  /** Whether every message is delivered as a `Buffer`, unparsed. Default `false`: only messages that are not valid UTF-8 are. */
  buffers?: boolean
  /** Whether the channel is a glob: `*`, `?`, `[a-z]`. Default `false`. */
  pattern?: boolean
  /**
   * Whether the channel is a sharded one (`SSUBSCRIBE`), which in a cluster only the node of its slot and its replicas hear of: it is
   * subscribed there, over one connection a node, and again wherever the slot goes, with a gap told. Redis 7 or later, or
   * Valkey. Default `false`. Not with `pattern`.
   */
  sharded?: boolean
  /**
   * How much may wait for a handler or a loop that is slower than the channel. Default 10,000 messages and 16 MiB. A single
   * message is never too much.
   */
  buffer?: {
    /** Messages, at least 1. */
    messages?: number
    /** Bytes of what was published, at least 1. */
    bytes?: number
  }
  /**
   * What becomes of what is too much. `'drop-oldest'` (the default): the oldest messages that wait go, and a gap with their
   * number is told in their place. `'error'`: what waits is still delivered, and then the subscription ends with
   * `E_BACKPRESSURE`; nothing is dropped before that.
   */
  overflow?: 'drop-oldest' | 'error'
  /**
   * Called when messages were missed, in the place where they are missing. `missed` is how many: those that were dropped
   * because too much waited; or `'unknown'`, because the connection was lost and has been made again. Default: one line of
   * `console.warn` at the first gap; with an iterator, nothing, for each message says what was missed before it.
   */
  onGap?: (gap: Gap) => void
}

/** How to subscribe with a handler. */
export interface SubscribeOptions extends StreamOptions {
  /** Called when the subscription has ended by itself, as `overflow: 'error'` does. Default: one line of `console.error`. */
  onError?: (error: CinnabarError) => void
}

/** Messages that a subscription missed. */
export interface Gap {
  /** How many, if anybody knows. */
  missed: number | 'unknown'
}

/** An open subscription. Keeps the process alive. */
export interface Subscription extends AsyncDisposable, Disposable {
  /** Ends it; no handler is called after that. May be called twice. */
  close(): Promise<void>
  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
  /** `close()`, for `using`. */
  [Symbol.dispose](): void
}

/**
 * An open subscription without a handler. It ends when it is closed, also by `break` or `disconnect()`; what waits then is
 * let go. Several loops over one subscription share its messages: each goes to one of them, in the order of asking.
 */
export interface MessageStream<T = unknown> extends Subscription {
  /** @throws {CinnabarError} from `next()`: `E_BACKPRESSURE`, once, when the subscription has ended by `overflow: 'error'`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message<T>>
}

/** One message of a `MessageStream`. */
export interface Message<T = unknown> {
  /** Where it was published. */
  channel: string
  /** The published value. Text that is not JSON is a string; bytes that are not valid UTF-8 are a `Buffer`. */
  value: T
  /** How many messages are missing between the one before and this one. */
  missed: number | 'unknown'
}

/** `publish` of the default service. */
export function publish<T>(channel: string, value: JsonInput<T> | Uint8Array, options?: PublishOptions): Promise<number>

/** `subscribe` of the default service. */
export function subscribe<T = unknown>(
  channel: string,
  handler: MessageHandler<T>,
  options?: SubscribeOptions,
): Promise<Subscription>
export function subscribe<T = unknown>(channel: string, options?: StreamOptions): Promise<MessageStream<T>>
