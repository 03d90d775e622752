import { type Session, type SessionData, Store } from 'express-session'
import type { IncomingMessage } from 'node:http'

import type { RedisService } from './index.js'

/** Options of a `CinnabarStore`: those of connect-redis, with `service` in place of `client`. */
export interface CinnabarStoreOptions {
  /** Where sessions are stored. Default: the default service. */
  service?: RedisService
  /**
   * The prefix of the keys, followed by the session's id, of up to 128 bytes. Default `'sess:'`. It must not overlap with that of anything
   * else on the store: `E_INVALID_SETTINGS`.
   */
  prefix?: string
  /**
   * The ttl in seconds of a session whose cookie has no `expires` or `maxAge`, or a function that returns the ttl of a session. Default
   * `86400`, 24 hours. A session whose ttl is over is destroyed.
   */
  ttl?: number | ((session: SessionData) => number)
  /** Whether sessions are kept without a ttl. Default `false`. */
  disableTTL?: boolean
  /** Whether requests that do not change a session leave its ttl as it is. Default `false`. */
  disableTouch?: boolean
  /** How many keys the server visits at once for `all`, `ids`, `length` and `clear`. Default `100`. */
  scanCount?: number
  /** How sessions are written. Default `JSON`. `parse` may return a promise. */
  serializer?: {
    parse(text: string): SessionData | Promise<SessionData>
    stringify(session: SessionData): string
  }
}

/**
 * A store for express-session, with sessions as JSON under `sess:{sid}`, as connect-redis has them: either reads what the other wrote.
 *
 * A session that was loaded is saved only if it still exists, so one that another request has destroyed does not come back. If another request
 * has changed it meanwhile, only the fields that this request changed are saved, in its cookie
 * too: a `cookie.maxAge` that one request sets, and with it the ttl of the key, stays
 * when requests beside it save or touch the session. Both hold for the session objects of this store;
 * `set` stores any other object as it is.
 *
 * Each method takes a callback, which is called exactly once, or else returns a promise.
 *
 * @example
 * import session from 'express-session'
 * import { CinnabarStore } from 'cinnabar/express-session'
 *
 * app.use(session({ store: new CinnabarStore(), secret, resave: false, saveUninitialized: false }))
 */
export class CinnabarStore extends Store {
  /** @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option; `E_INVALID_SETTINGS` for an invalid prefix. */
  constructor(options?: CinnabarStoreOptions)
  readonly prefix: string
  ttl: number | ((session: SessionData) => number)
  scanCount: number
  serializer: NonNullable<CinnabarStoreOptions['serializer']>
  disableTTL: boolean
  disableTouch: boolean
  /** Returns the session, or `null`; one `GET`. Whatever text the id is, it is at worst no session. */
  get(sid: string, callback: (error: unknown, session?: SessionData | null) => void): void
  get(sid: string): Promise<SessionData | null>
  /** Saves a session; one request, and one more for each change of another request meanwhile. */
  set(sid: string, session: SessionData, callback: (error?: unknown) => void): void
  set(sid: string, session: SessionData): Promise<null>
  /** Renews the ttl of a session, if it exists. For a session object of this store, the expiry in its stored cookie too. */
  touch(sid: string, session: SessionData, callback: (error?: unknown) => void): void
  touch(sid: string, session: SessionData): Promise<null>
  /** Destroys a session. */
  destroy(sid: string, callback: (error?: unknown) => void): void
  destroy(sid: string): Promise<null>
  /** Destroys all sessions under the prefix, by `SCAN`. */
  clear(callback: (error?: unknown) => void): void
  clear(): Promise<null>
  /** Counts the sessions under the prefix, by `SCAN`: it visits every key of the database. */
  length(callback: (error: unknown, length?: number) => void): void
  length(): Promise<number>
  /** Returns the ids of all sessions under the prefix, by `SCAN`. */
  ids(callback: (error: unknown, ids?: string[]) => void): void
  ids(): Promise<string[]>
  /** Returns all sessions under the prefix, each with its `id`, by `SCAN`. */
  all(callback: (error: unknown, sessions?: (SessionData & { id: string })[]) => void): void
  all(): Promise<(SessionData & { id: string })[]>
  createSession(request: IncomingMessage, session: SessionData): Session & SessionData
}
