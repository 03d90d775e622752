import type { CacheStats } from './cache.js'
import type { CallLimits } from './calls.js'
import type { Jsonify } from './json.js'
import type { RedisService } from './service.js'

/** Options of a `SessionManager`. */
export interface SessionManagerOptions {
  /**
   * What the keys begin with. Default `'session:'`.
   *
   * Of the prefixes of sessions, caches, limiters, locks and rooms on one store, the default ones and `ratelimit:` included, none
   * may begin with another, or an identifier of one could name a key of the other (`b:c` of `a:`, and `c` of `a:b:`). What one
   * process gives to services in use is checked. Objects of one class with the same prefix share their keys, and the prefix of a
   * queue may be any. With `''`, identifiers are keys as they are: give it only what no stranger chooses.
   */
  prefix?: string
  /** Life of a session in seconds, renewed by every update. Default `86400`, 24 hours. */
  ttl?: number
  /** Whether reading a session renews its life. Default `false`. */
  rolling?: boolean
}

/** What `createSession` adds to a session. */
export interface SessionFields {
  /** Whose session it is. */
  userId: string
  /** When it was created, as an ISO 8601 time. */
  createdAt: string
}

/**
 * The fields of this application's sessions beside `SessionFields`, for managers without a type argument, the static forms
 * included. Empty until you declare them:
 *
 * @example
 * declare module 'cinnabar' {
 *   interface SessionData {
 *     role: 'admin' | 'guest'
 *   }
 * }
 */
export interface SessionData {}

/** `SessionData`, or unknown fields while that is empty. */
export type KnownSessionData = keyof SessionData extends never ? Record<string, unknown> : SessionData

/** A session as `getSession` returns it: its data after a round trip through JSON, so that a `Date` is a string. */
export type Session<Data extends object = KnownSessionData> = SessionFields & Jsonify<Data>

/** The data of a new session, optional if no field is required, and then options. */
export type NewSession<Data extends object> = {} extends Data
  ? [data?: Data, options?: CreateSessionOptions]
  : [data: Data, options?: CreateSessionOptions]

/** How a session is created. */
export interface CreateSessionOptions {
  /** Life in seconds. Default: the manager's. */
  ttl?: number
  /** Names to destroy sessions by, such as a tenant or a device. */
  tags?: readonly string[]
  /** An id of your own. Default: 192 random bits or more from the system's generator. */
  id?: string
}

/**
 * A request as accepted by `getSession`, `validateSession` and `invalidateToken`: a fetch `Request` or its `Headers`, the request of
 * Node.js, Express or Fastify, any `{ headers }`, or what `await cookies()` of Next.js returns. Names of headers are
 * case-insensitive, and a header may have an array of values. Anything else (a promise, `URLSearchParams`, `FormData`, headers as a
 * plain object) rejects with `E_INVALID_ARGUMENT`.
 */
export type SessionRequest =
  | {
      get(name: string): { readonly value: string } | undefined
      has(name: string): boolean
      getAll(name: string): readonly { readonly value: string }[]
    }
  | { get(name: string): string | null; has(name: string): boolean }
  | { readonly headers: { get(name: string): string | null } }
  | { readonly headers: { readonly [name: string]: string | readonly string[] | undefined } }
  | { readonly headers: readonly (readonly [name: string, value: string])[] }

/** A request that may carry a session token: the token itself, a fetch request or headers, or a Node request. */
export type TokenSource = string | SessionRequest

/** Where a request carries its token. */
export interface TokenOptions {
  /** The cookie that carries it when there is no `Authorization: Bearer`. Default `'session'`. */
  cookie?: string
}

/** A session of a user without its id, which grants access to it. */
export interface DescribedSession<Data extends object = KnownSessionData> {
  /** A public id for `destroySessionOf`: 32 hexadecimal digits. It may be sent to browsers, since it does not grant access. */
  publicId: string
  /** What the session holds. */
  session: Session<Data>
  /** Its remaining ttl, in seconds. */
  ttl: number
  /** Whether it is the one whose id was given as `current`. */
  current: boolean
}

/** How `validateSession` finds a user. */
export interface ValidateOptions<User> extends TokenOptions {
  /**
   * Looks the user up where the truth is, by the SHA-256 of the token in hexadecimal; `null` when there is none.
   * Called on a miss, and whenever the server is down. One call at a time per token.
   */
  load: (tokenHash: string) => User | null | undefined | Promise<User | null | undefined>
  /** How long a found user is kept, in seconds. Default `300`. */
  ttl?: number
  /**
   * Returns the user's id, by which `invalidateUser` signs them out: a string or an integer. Default: every one of `userId`,
   * `id`, `_id`, `sub` and `user.id` that exists; each of them then works. A user without any rejects with `E_INVALID_ARGUMENT`.
   */
  userId?: (user: User) => string | number | bigint
}

/** Counts since the manager was made. */
export interface SessionStats extends CacheStats {
  /** How often `validateSession` had to answer by `load` alone, because the server could not be reached. */
  fallbacks: number
}

/**
 * Sessions: plain JSON under `session:{id}` that any client can read. Every method also exists as a static one, on the
 * default service. `T` is what your sessions hold besides `userId` and `createdAt`.
 *
 * There are two separate kinds. Sessions made by `createSession` and `storeSession` are stored here, and `getSession` reads them,
 * by id or from the request that carries the id. `validateSession` is for sessions that a database owns: it stores the hash of a
 * token with the user that `load` returned, for some minutes; `getSession` and `listSessions` do not see these. `invalidateUser`
 * ends both kinds.
 *
 * Signing out is final: in every process, against concurrent writes and loads, and on a server that evicts keys. A session counts
 * as signed out if the server has lost the epoch of its user or of a tag.
 *
 * Ids, tokens, users and tags may come from clients, so where one is looked for, a string that cannot be one (empty, over 64 KiB,
 * with a NUL or a lone surrogate) counts as not found. `E_INVALID_ARGUMENT` is for values that are not strings, and for an invalid
 * id, user or tag that you create or store a session with.
 *
 * Without a server every method rejects, except `validateSession`, which calls `load`: a session must not seem gone because its
 * server is. Services with `onUnavailable: 'empty'`, the default with `NODE_ENV=development`, return empty values instead;
 * `storeSession`, which has none, and `createSession` with an `id` of your own still reject.
 *
 * @example
 * const sessions = new SessionManager<{ role: string }>()
 * const id = await sessions.createSession('user123', { role: 'admin' })
 * const session = await sessions.getSession(id) // { userId, createdAt, role } or null
 */
export interface SessionManager<Data extends object = KnownSessionData> {
  /**
   * The same sessions with their calls bound to a deadline, a signal or both; statistics and loads are shared. A caller of
   * `validateSession` whose signal aborts goes away alone: `load` goes on for the others. Bound once more, the shorter time
   * and every signal count.
   *
   * @example
   * const user = await SessionManager.with({ signal: request.signal }).validateSession(request, { load })
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or bad option.
   */
  with(limits: CallLimits): SessionManager<Data>
  /**
   * Stores `{ userId, createdAt, ...data }` for 24 h; returns the new id. A number as `userId` must be an integer and is stored
   * as text. A `userId` or `createdAt` in `data` is ignored. Rejects with `E_CONFLICT` if a session with the id that you chose
   * exists.
   */
  createSession(userId: string | number, ...rest: NewSession<Data>): Promise<string>
  /** Returns the session, or `null`. */
  getSession(id: string): Promise<Session<Data> | null>
  /**
   * Returns the session whose id a request carries, or `null`. The id is taken from `Authorization: Bearer …`, else from the
   * first non-empty cookie of that name.
   *
   * @example
   * const session = await SessionManager.getSession(request, { cookie: 'sid' })
   */
  getSession(request: SessionRequest, options?: TokenOptions): Promise<Session<Data> | null>
  /**
   * Merges `changes` into the session, field by field, and renews its ttl to the one given to `createSession` or `storeSession`,
   * whatever this manager's own `ttl`. Concurrent updates of different fields all survive; other fields keep their bytes. Returns
   * `false` if the session is gone: an update never recreates it.
   *
   * A `userId` in `changes` moves the session to that user, and `null` leaves it without one, so never pass unchecked client input.
   * It is a non-empty string, a whole number or `null`; anything else rejects with `E_INVALID_ARGUMENT`. `createdAt` does not change.
   * Rejects with `E_CONFLICT` if concurrent writers win a thousand times in a row.
   */
  updateSession(id: string, changes: Partial<Data & Pick<SessionFields, 'userId'>>): Promise<boolean>
  /** Removes the session; returns the number of keys removed, 0 or 1. */
  destroySession(id: string): Promise<number>
  /** Sets the remaining ttl, in seconds, default 3600; returns `false` if the session is gone. */
  extendSession(id: string, seconds?: number): Promise<boolean>
  /** Renews the ttl to the one that the session was given; returns `false` if the session is gone. */
  touch(id: string): Promise<boolean>
  /**
   * Stores any object under an id of your own, replacing any previous session; `ttl` is in seconds, default 3600. The session
   * belongs to the user named by its `userId`, or to no user without one. Rejects with `E_INVALID_ARGUMENT` for a `userId` that is
   * neither a non-empty string, a whole number nor `null`.
   */
  storeSession(id: string, data: Data & Partial<SessionFields>, ttl?: number): Promise<void>
  /**
   * Destroys every session created with this tag; returns how many. One write ends them all; then their values are deleted, some
   * hundred in a step. With `E_MAYBE_APPLIED`, `error.done` is how many of them are known to be deleted.
   */
  destroyByTag(tag: string): Promise<number>
  /**
   * Destroys every session of a user, validated ones included; returns how many. One write ends them all; then their values are
   * deleted, some hundred in a step. With `E_MAYBE_APPLIED`, `error.done` is how many of them are known to be deleted.
   */
  invalidateUser(userId: string | number): Promise<number>
  /**
   * Returns the ids of a user's sessions. An id grants access to its session, so show users what `describeSessions` returns
   * instead. If the server has evicted the list, a session reappears in it when it is renewed; `invalidateUser` does not need the
   * list.
   */
  listSessions(userId: string | number): Promise<string[]>
  /**
   * Returns a user's sessions in a form that is safe to show to this user, each with a public id. `current` is the id of the
   * session that makes the request.
   *
   * @example
   * const devices = await SessionManager.describeSessions('user123', { current: id })
   * await SessionManager.destroySessionOf('user123', devices[0].publicId)
   */
  describeSessions(userId: string | number, options?: { current?: string }): Promise<DescribedSession<Data>[]>
  /** Removes the session of this user with this public id; returns the number of keys removed, 0 or 1. */
  destroySessionOf(userId: string | number, publicId: string): Promise<number>
  /**
   * Removes what `validateSession` stored for a token, and prevents running loads for it, in any process, from being stored. Call
   * it after deleting the session from the database. Returns the number of keys removed, 0 or 1.
   */
  invalidateToken(request: TokenSource, options?: TokenOptions): Promise<number>
  /**
   * The user behind a token, or `null`: from the store, otherwise from `load`, whose result is then kept for `ttl` seconds. If the
   * server cannot be reached, the user comes from `load` alone, which `stats().fallbacks` counts. Calls that come while a token is
   * being loaded share that load. Each gets a copy of the user after a round trip through JSON, whether it was stored or has just
   * been loaded.
   */
  validateSession<User>(request: TokenSource, options: ValidateOptions<User>): Promise<Jsonify<User> | null>
  /** Counts of `getSession` and `validateSession` since this manager was made. */
  stats(): SessionStats
  /** The same as `createSession`. */
  create(userId: string | number, ...rest: NewSession<Data>): Promise<string>
  /** The same as `getSession`. */
  get(id: string): Promise<Session<Data> | null>
  get(request: SessionRequest, options?: TokenOptions): Promise<Session<Data> | null>
  /** The same as `updateSession`. */
  update(id: string, changes: Partial<Data & Pick<SessionFields, 'userId'>>): Promise<boolean>
  /** The same as `destroySession`. */
  destroy(id: string): Promise<number>
  /** The same as `destroySession`. */
  deleteSession(id: string): Promise<number>
}

/** Makes a `SessionManager`; also has each of its methods, on the default service. */
export interface SessionManagerConstructor extends SessionManager {
  /**
   * Without a service it uses the default one, which reads its settings from the environment on its first call.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option, or if `service` is not a `RedisService`.
   * `E_INVALID_SETTINGS` for an invalid prefix, or one that overlaps with another.
   */
  new <Data extends object = KnownSessionData>(
    service?: RedisService,
    options?: SessionManagerOptions,
  ): SessionManager<Data>
  readonly prototype: SessionManager
}

export const SessionManager: SessionManagerConstructor
