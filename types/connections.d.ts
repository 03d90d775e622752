import type { CallLimits } from './calls.js'
import type { Jsonify } from './json.js'
import type { Gap, Subscription } from './pubsub.js'

/**
 * What `bind` can close: a WebSocket (of browsers, `ws`, Deno or Bun), a stream of Node.js such as the response that sends events, the
 * controller of a `ReadableStream`, an `AbortController`, or a function that closes something else.
 */
export type BoundSocket =
  | { readonly readyState: number; close(code?: number, reason?: string): unknown }
  | { end(): unknown; destroy(): unknown }
  | { close(): unknown }
  | { readonly signal: AbortSignal; abort(): void }
  | ((reason: EndReason) => void)

/** Options of `bind`. */
export interface BindOptions<State extends object> extends CallLimits {
  /** The id of the connection, which no other one that is open may have. Default: a random UUID. */
  id?: string
  /** Fields of the application in the state of the connection, such as its rooms. */
  state?: State
  /** Called with the reason when the session has ended, before the socket is closed. */
  onEnd?: (reason: EndReason) => void
}

/**
 * Why a session, or all sessions of a user or a tag, ended:
 *
 * | reason             | what happened                                                                                      |
 * | ------------------ | -------------------------------------------------------------------------------------------------- |
 * | `destroyed`        | it was destroyed or revoked, or another session of the same browser took its place                 |
 * | `user-invalidated` | `invalidateUser` was called                                                                        |
 * | `tag-destroyed`    | `destroyByTag` was called                                                                          |
 * | `limit`            | its user signed in elsewhere, and has `maxPerUser` sessions                                        |
 * | `user-changed`     | an update gave it another user, or none                                                            |
 * | `rotated` | `rotate({ graceSeconds: 0 })` gave it another token, as when the rights of its user change: the client has to connect again; for bound sockets only |
 * | `expired`          | it was not used for its ttl, its `absoluteTtl` is over, or there was none; for bound sockets only |
 * | `unreachable`      | the store could not be reached for as long as a lease, or the service was disconnected, so that the end of the session would not be noticed; for bound sockets only, and if `bind` rejects |
 */
export type EndReason =
  'destroyed' | 'user-invalidated' | 'tag-destroyed' | 'limit' | 'user-changed' | 'rotated' | 'expired' | 'unreachable'

/** A socket that is bound to a session. */
export interface BoundConnection<State extends object = Record<string, unknown>> extends AsyncDisposable {
  /** The id of the connection: its state is stored under `websocket:{id}`. */
  readonly id: string
  /** The user of the session, or `null`. */
  readonly userId: string | null
  /** The public id of the session. */
  readonly publicId: string
  /** The fields of the application in its state, as they were last set here. */
  readonly state: Readonly<State>
  /** Whether it is bound: the session has not ended, and `unbind` was not called. */
  readonly isBound: boolean
  /** Merges `changes` into the fields of the application, field by field; returns `false` if it is not bound. */
  update(changes: Partial<State>): Promise<boolean>
  /**
   * Removes the connection and its state. A socket with a `close` event does so by itself; for one without (those of Bun, an
   * AbortController, a function) call it when the client has gone.
   */
  unbind(): Promise<void>
}

/** The state of a connection, as it is stored under `websocket:{connectionId}`. */
export type ConnectionState<State extends object = Record<string, unknown>> = {
  /** The id of the connection. */
  connectionId: string
  /** The user of the session. */
  userId: string
  /** The public id of the session. */
  session: string
  /** When the connection was bound, as an ISO 8601 time. */
  connectedAt: string
} & Jsonify<State>

/** An event of `watch`. Without a `publicId` it is about all sessions of the user, or with the tag. */
export type SessionEvent =
  | { type: 'created' | 'rotated'; publicId: string; userId?: string }
  | {
      type: 'ended'
      reason: Exclude<EndReason, 'rotated' | 'expired' | 'unreachable'>
      publicId?: string
      userId?: string
      tag?: string
    }

/** Options of `watch`. `signal` and `timeoutMs` limit the opening; what is open is ended by `close()`. */
export interface WatchSessionsOptions extends CallLimits {
  /** Called where events are missing. Default: one line of `console.warn` at the first gap. */
  onGap?: (gap: Gap) => void
}

/** An open watch without a handler. */
export interface SessionEvents extends Subscription {
  /** @throws {CinnabarError} from `next()`, once, when the watch has ended by itself. */
  [Symbol.asyncIterator](): AsyncIterableIterator<SessionEvent>
}

// Nothing else is exported.
export {}
