import type { CallLimits } from './calls.js'
import type { CinnabarError } from './errors.js'
import type { JsonInput, Jsonify } from './json.js'

/**
 * The values of this application's channels, by name. A name may be a template type. Empty until you declare them; any channel that
 * is not declared takes any value. A type argument of `publish` or `subscribe` wins over the declaration.
 *
 * @example
 * declare module 'cinnabar' {
 *   interface Channels {
 *     'prism:events': { type: 'created' | 'deleted'; id: string }
 *     [user: `user:${string}`]: { unread: number }
 *   }
 * }
 */
export interface Channels {}

/** What may be published on a channel: what `Channels` declares for it, otherwise any `T` that JSON can represent. */
export type ChannelInput<Channel extends string, T> = Channel extends keyof Channels
  ? JsonInput<Channels[Channel]>
  : JsonInput<T>

/** What subscribers of a channel receive: what `Channels` declares for it, after a round trip through JSON; otherwise a `T`. */
export type ChannelValue<Channel extends string, T> = Channel extends keyof Channels ? Jsonify<Channels[Channel]> : T

/** Receives each message. It may be asynchronous: the next message does not wait for its promise. */
export type MessageHandler<T = unknown> = (value: T, channel: string) => unknown

/** Options of `publish`. */
export interface PublishOptions extends CallLimits {
  /**
   * Whether the channel is a sharded one (`SPUBLISH`): only connections that subscribed with `sharded` receive its messages. In a
   * cluster, messages of other channels are sent to every node. Needs Redis 7 or later, or Valkey. Default `false`.
   */
  sharded?: boolean
}

/**
 * Options of `subscribe`, with a handler or without. `signal` and `timeoutMs` limit the opening; what is open is ended by `close()`.
 */
export interface StreamOptions extends CallLimits {
  /** Whether every message is delivered as a `Buffer`, unparsed. Default `false`: only messages that are not valid UTF-8 are. */
  buffers?: boolean
  /** Whether the channel is a glob: `*`, `?`, `[a-z]`. Default `false`. */
  pattern?: boolean
  /**
   * Whether the channel is a sharded one (`SSUBSCRIBE`). In a cluster, only the node that owns its slot and the replicas of that node
   * receive its messages, so the subscription uses one connection to that node. It follows the slot when it moves, and reports a gap
   * then. Needs Redis 7 or later, or Valkey. Not with `pattern`. Default `false`.
   */
  sharded?: boolean
  /**
   * How much may wait for a handler or a loop that is slower than the channel. Default: 10,000 messages, within 16 MB. A single message is
   * always accepted.
   */
  buffer?: {
    /** The number of messages, at least 1. */
    messages?: number
    /** The size of their published values together, in bytes, at least 1. */
    bytes?: number
  }
  /**
   * What happens when the buffer is full. Default `'drop-oldest'`, which drops the oldest waiting messages and reports a gap with their
   * number in their place. `'error'` still delivers what waits, and then ends the subscription with `E_BACKPRESSURE`; nothing is
   * dropped before that.
   */
  overflow?: 'drop-oldest' | 'error'
  /**
   * Called where messages are missing, between those before and after them. `missed` is the number of messages that were dropped
   * because the buffer was full; or `'unknown'`, because the connection was lost and has been restored. Default: one line of
   * `console.warn` at the first gap; nothing for an iterator, whose messages have `missed`. After `'unknown'`, messages from before the
   * gap may come once more: the server that took over may have received them from the former one after the subscription.
   */
  onGap?: (gap: Gap) => void
}

/** Options of `subscribe` with a handler. */
export interface SubscribeOptions extends StreamOptions {
  /** Called when the subscription has ended by itself, as with `overflow: 'error'`. Default: one line of `console.error`. */
  onError?: (error: CinnabarError) => void
}

/** Messages or events that are known to be missing. */
export interface Gap {
  /** How many, or `'unknown'`. */
  missed: number | 'unknown'
}

/** An open subscription. Keeps the process alive. */
export interface Subscription extends AsyncDisposable, Disposable {
  /** Ends the subscription; no handler is called after that. May be called twice. */
  close(): Promise<void>
  /** Calls `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
  /** Calls `close()`, for `using`. */
  [Symbol.dispose](): void
}

/**
 * An open subscription without a handler. It ends when it is closed, also by `break` or `disconnect()`; messages that wait then are
 * dropped. Several loops over one subscription share its messages: each message goes to one of them, in the order of their requests.
 */
export interface MessageStream<T = unknown> extends Subscription {
  /** @throws {CinnabarError} `E_BACKPRESSURE` from `next()`, once, when the subscription was ended by `overflow: 'error'`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message<T>>
}

/** A message of a `MessageStream`. */
export interface Message<T = unknown> {
  /** The channel on which it was published. */
  channel: string
  /** The published value. Text that is not JSON is a string; bytes that are not valid UTF-8 are a `Buffer`. */
  value: T
  /** How many messages are missing between the previous one and this one. */
  missed: number | 'unknown'
}

/** Publishes a value by the default service; see `RedisService.publish`. */
export function publish<T, Channel extends string = string>(
  channel: Channel,
  value: ChannelInput<Channel, T> | Uint8Array,
  options?: PublishOptions,
): Promise<number>

/** Subscribes to a channel by the default service; see `RedisService.subscribe`. */
export function subscribe<T = unknown, Channel extends string = string>(
  channel: Channel,
  handler: MessageHandler<ChannelValue<Channel, T>>,
  options?: SubscribeOptions,
): Promise<Subscription>
export function subscribe<T = unknown, Channel extends string = string>(
  channel: Channel,
  options?: StreamOptions,
): Promise<MessageStream<ChannelValue<Channel, T>>>
