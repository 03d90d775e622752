import type { CacheStats } from './cache.js'
import type { CallLimits } from './calls.js'
import type {
  BindOptions,
  BoundConnection,
  BoundSocket,
  ConnectionState,
  SessionEvent,
  SessionEvents,
  WatchSessionsOptions,
} from './connections.js'
import type { CinnabarError } from './errors.js'
import type { Jsonify } from './json.js'
import type { Subscription } from './pubsub.js'
import type { RedisService } from './service.js'

/** Options of a `SessionManager`. */
export interface SessionManagerOptions {
  /**
   * The prefix of the keys. Default `'session:'`.
   *
   * No prefix of sessions, caches, limiters, locks or rooms on one store may begin with another, the default ones and `ratelimit:`
   * included. Otherwise an identifier of one could name a key of the other: `b:c` with `a:`, and `c` with `a:b:`. The prefixes of
   * services in use are checked within a process. Objects of one class with the same prefix share their keys, and a queue may have any
   * prefix. With `''`, identifiers are used as keys unchanged, so never pass identifiers that clients choose.
   */
  prefix?: string
  /** The ttl of a session, in seconds, renewed by every update. Default `86400`, 24 hours. */
  ttl?: number
  /**
   * After how many seconds a session ends even if it is in use, so that a stolen one does not live for ever. Default: never. The time of
   * its end is stored with the session, and renewing, updating or rotating it does not change that.
   */
  absoluteTtl?: number
  /**
   * How many sessions a user has at most, from 1 to 1,000. Default: any number. It holds for sessions of `createSession` and `signIn` of
   * managers with this option, however many sign in at once; not for `storeSession`. A server that evicts keys may forget sessions of a user,
   * which do not count then.
   */
  maxPerUser?: number
  /**
   * What happens if a user with `maxPerUser` sessions signs in. Default `'evict-oldest'`: the session that was created first ends, by the millisecond. With
   * `'evict-idle'` the one whose ttl was not renewed for the longest time ends, and with `'reject'` the new one is not created, with
   * `E_TOO_MANY_SESSIONS`.
   */
  whenFull?: 'evict-oldest' | 'evict-idle' | 'reject'
  /**
   * Whether reading a session renews its ttl. Default `false`. A read does so if a tenth of the ttl has passed since the last renewal, so a
   * session in use ends at the earliest 0.9 × `ttl` after its last request, and most reads are one `GET`. A ttl that `extendSession`
   * shortens in another process is noticed after a tenth of `ttl` at the latest. Its cookie lasts for `absoluteTtl`, or for 400 days,
   * the most that browsers keep one, since only the store knows when the session was last used.
   */
  rolling?: boolean
  /**
   * Whether new sessions have a token, of which only the SHA-256 is stored, so that a copy of the store gives no access. Default
   * `'plain'`: `createSession` returns an id, stored as part of the key. Sessions that `signIn` creates have a token in any case, and every
   * method accepts tokens as ids. With `'hashed'`, `createSession` returns a token too, and sessions under an id are not found.
   */
  tokens?: 'plain' | 'hashed'
  /** Encrypts the data of sessions, and the users that `validateSession` caches. Default: both are plain JSON. */
  encryption?: SessionEncryption
  /** The cookie that `fromRequest` reads and `commit` sets. */
  cookie?: SessionCookieOptions
  /**
   * Keeps sessions and validated users near: in the memory of this process, shared by its threads, so that reading them again costs no call.
   * `true` is `{ mode: 'push' }`. Default: not at all. See {@link NearSessionsOptions}.
   */
  near?: boolean | NearSessionsOptions
  /** Whether new sessions are events of `watch` too, which costs one more round trip for each. Default `false`. */
  events?: boolean
  /** Connections of `bind`. */
  connections?: {
    /** The prefix of the keys of their states. Default `'websocket:'`. */
    prefix?: string
    /**
     * For how long, in milliseconds from 1000 to 3600000, a connection stays open while its session cannot be read, and its state
     * remains when its process is gone. Default `15000`.
     */
    leaseMs?: number
  }
  /**
   * Origins of other sites, such as `'https://app.example.com'`, that may send requests other than GET, HEAD and OPTIONS with the cookie of
   * a user; `'*'` for all. Default `[]`: such requests are refused, since they may be forged.
   */
  trustedOrigins?: readonly string[] | '*'
}

/**
 * How sessions and validated users are near. `fromRequest`, `getSession` and `validateSession` find one near once it was read twice,
 * until its ttl ends, a rolling session is due for renewal, or it is changed or ended by this or any other program; the server pushes which
 * keys change, except by `SWAPDB`. What managers of this service do, and others of the process on services with the same settings, all of
 * them see at once. Calls with a signal or a `timeoutMs` of their own always ask the server, as does a token that was rotated. For the
 * server, its permissions and what happens without them, see {@link NearOptions}.
 *
 * Decrypted data of sessions is in the memory of the process then, and is found only by managers with the same keys.
 */
export interface NearSessionsOptions {
  /**
   * When a sign-out counts in other processes. With `'push'` they see it once it was pushed, which takes about a millisecond, and at most
   * `maxStalenessMs` after it was acknowledged, whatever happens to a connection. With `'strict'`, what ends a session resolves 255 ms
   * later, when no process accepts it any more: `destroySession`, `destroySessionOf`, `destroyByTag`, `invalidateUser`, `invalidateToken`, a
   * sign-in that ends another session by `maxPerUser`, `rotate` without grace, and an update of `userId`. That time is not part of a
   * `timeoutMs`. Use it in all processes that read or end sessions: the calls wait for as long as each of these trusts its memory. Reads
   * cost the same in both. Default `'push'`.
   */
  mode?: 'push' | 'strict'
  /**
   * The most bytes of keys and values, at least 65,536. Each thread also keeps parsed copies of its own, of about half as many bytes at
   * most. Default 67,108,864 (64 MiB).
   */
  maxBytes?: number
  /**
   * For how long sessions are near without news from the server, in milliseconds from 20 to 60,000: for how long one that was ended
   * elsewhere is accepted at most. The server is asked four times as often. Default 500; 250 and fixed with `'strict'`.
   */
  maxStalenessMs?: number
}

/**
 * Encryption of sessions in the store by AES-256-GCM, so that a copy of it shows none of their data. A value is bound to its key in the
 * store and to its ttl, tags and user: one that was changed, moved, or encrypted with a key that is not in the ring counts as no session.
 * `stats().errors` counts these, and one event `unreadable` reports them.
 *
 * The ids of users in the names of indexes, tags, ttls and times remain readable, and other programs cannot read the sessions. What
 * `cinnabar/express-session` and `cinnabar/better-auth` store is not encrypted.
 */
export interface SessionEncryption {
  /**
   * The ring of keys, at least one: the first encrypts, all decrypt. To replace a key, add the new one at the end in every process, then
   * move it to the front, and remove the old one once the sessions that it encrypted have ended; every update and rotation encrypts anew.
   * Replace a key before it has encrypted four billion values.
   */
  keys: readonly SessionEncryptionKey[]
  /**
   * Whether sessions that are not encrypted are accepted too, while an application changes to encryption; they are encrypted when they are
   * next written. Default `false`, since who can write to the store could add sessions of any user. A process without the keys does not
   * find encrypted sessions.
   */
  acceptPlain?: boolean
}

/** A key that encrypts sessions. */
export interface SessionEncryptionKey {
  /** Its name, stored with what it encrypts: 1 to 64 letters, digits, `-`, `_` or `.`, and never used for another key. */
  id: string
  /** 32 random bytes, or their base64, as `openssl rand -base64 32` prints it. */
  key: Uint8Array | string
}

/** The attributes of a session's cookie. It is always `HttpOnly`, and its `Max-Age` is the session's ttl, or longer with `rolling`. */
export interface SessionCookieOptions {
  /**
   * Its name. Without one it is `'__Host-session'`, which browsers accept only from the host itself and over TLS; `'session'` if that is
   * impossible with the other attributes.
   */
  name?: string
  /** The path under which browsers send it. Default `'/'`. */
  path?: string
  /** The domain with whose hosts it is shared. Default: none, so that only its own host gets it. */
  domain?: string
  /** Whether browsers send it over TLS only. It is `true` if not set, but `false` if `NODE_ENV` is `development` or `test`. */
  secure?: boolean
  /** Whether browsers send it with requests from other sites. Default `'lax'`: only if the user follows a link. */
  sameSite?: 'strict' | 'lax' | 'none'
  /** Whether browsers keep it apart for each site that embeds this one. Default `false`. */
  partitioned?: boolean
}

/** The fields that `createSession` adds to a session. */
export interface SessionFields {
  /** The user to whom the session belongs. */
  userId: string
  /** When the session was created, as an ISO 8601 time: part of the stored format. The `createdAt` of a job is a number. */
  createdAt: string
}

/**
 * The fields of this application's sessions beside `SessionFields`, for managers without a type argument and for the static forms. Empty
 * until you declare them:
 *
 * @example
 * declare module 'cinnabar' {
 *   interface SessionData {
 *     role: 'admin' | 'guest'
 *   }
 * }
 */
export interface SessionData {}

/** `SessionData`, or fields of type `unknown` while that is empty. */
export type KnownSessionData = keyof SessionData extends never ? Record<string, unknown> : SessionData

/** A session as `getSession` returns it: its data after a round trip through JSON, so that a `Date` is a string. */
export type Session<Data extends object = KnownSessionData> = SessionFields & Jsonify<Data>

/** The data of a new session, optional if none of its fields is required, followed by options. */
export type NewSession<Data extends object> = {} extends Data
  ? [data?: Data, options?: CreateSessionOptions & CallLimits]
  : [data: Data, options?: CreateSessionOptions & CallLimits]

/** The changes of an update: any fields, and the user to whom the session belongs from then on. */
export type SessionChanges<Data extends object> = Partial<Data> & Owner

interface Owner {
  /** The user's id; `null` for a session that belongs to no user. */
  userId?: string | number | null
}

/** Options of `updateSession`. */
export interface UpdateSessionOptions<Data extends object = KnownSessionData> {
  /** The ttl that the session has from then on, also for later renewals, in seconds, within the `absoluteTtl`. Default: the one that it has. */
  ttl?: number
  /** Fields to remove: not `userId` and `createdAt`, and none that `changes` sets. */
  remove?: readonly Extract<keyof Data, string>[]
}

/** Options of `createSession`. */
export interface CreateSessionOptions {
  /** The session's ttl, in seconds. Default: the manager's. */
  ttl?: number
  /** Tags for `destroyByTag`, such as a tenant or a device. */
  tags?: readonly string[]
  /** An id of your own. Default: at least 192 random bits from the system's generator. */
  id?: string
}

/**
 * A request, as accepted by `getSession`, `validateSession` and `invalidateToken`: a fetch `Request` or its `Headers`, the request of
 * Node.js, Express or Fastify, any `{ headers }`, or the result of `await cookies()` in Next.js. Names of headers are
 * case-insensitive, and a header may have an array of values. Anything else (a promise, `URLSearchParams`, `FormData`, headers as a
 * plain object, the cookies of Bun or Astro) rejects with `E_INVALID_ARGUMENT`.
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

/** A token, or a request that may carry one. */
export type TokenSource = string | SessionRequest

/** Options for reading a token from a request. */
export interface TokenOptions extends CallLimits {
  /**
   * The cookie to read if there is no `Authorization: Bearer`. If it is not set, it is that of the manager, and for a manager whose cookie
   * has no name of its own `'session'` too.
   */
  cookie?: string
}

/** A session without its id, since the id grants access to it. */
export interface DescribedSession<Data extends object = KnownSessionData> {
  /** A public id for `destroySessionOf`: 32 hexadecimal digits. It grants no access, so it may be sent to browsers. */
  publicId: string
  /** The session. */
  session: Session<Data>
  /** The session's remaining ttl, in seconds. */
  ttl: number
  /** Whether its id was given as `current`. */
  current: boolean
}

/** Options of `validateSession`. */
export interface ValidateOptions<User> extends TokenOptions {
  /**
   * Loads the user from the source of truth, by the SHA-256 of the token in hexadecimal. Returns `null` if the token has no user.
   * Called on a miss, and whenever the server is down, at most once at a time per token.
   */
  load: (tokenHash: string) => User | null | undefined | Promise<User | null | undefined>
  /** How long a loaded user is cached, in seconds. Default `300`. */
  ttl?: number
  /**
   * Returns the user's id for `invalidateUser`: a string or an integer. Default: all of `userId`, `id`, `_id`, `sub` and `user.id` that
   * exist, and `invalidateUser` accepts each of them. A user without any rejects with `E_INVALID_ARGUMENT`.
   */
  userId?: (user: User) => string | number | bigint
}

/** Counts since the manager was created. */
export interface SessionStats extends CacheStats {
  /** Failures of the store, those that a fallback hid from the caller, and values that did not decrypt, which count as misses too. */
  errors: number
  /** How many of the `hits` were near, and cost no call. */
  nearHits: number
  /** How often `validateSession` called `load` without the store, because the server could not be reached. */
  fallbacks: number
}

/**
 * Sessions: plain JSON under `session:{id}` that any client can read. Every method but `length` also exists as a static one, on the
 * default service. `Data` is the type of your sessions' fields beside `userId` and `createdAt`.
 *
 * There are two separate kinds. Sessions made by `createSession` and `storeSession` are stored here, and `getSession` reads them,
 * by id or from a request that carries the id. `validateSession` is for sessions that a database owns: it caches the user that
 * `load` returned under the hash of the token, for some minutes; `getSession` and `listSessions` do not see these. `invalidateUser`
 * ends both kinds.
 *
 * Signing out is final: in every process, against concurrent writes and loads, and on a server that evicts keys. A session counts
 * as signed out if the server has lost the epoch of its user or of a tag.
 *
 * Ids, tokens, users and tags may come from clients. In a lookup, a string that cannot be one (empty, over 64 KiB, with a NUL or a
 * lone surrogate) counts as not found. `E_INVALID_ARGUMENT` is for values that are not strings, and for an invalid id, user or tag when a
 * session is created or stored.
 *
 * Without a server every method rejects, except `validateSession`, which calls `load`: a session must not appear to be missing because
 * its server is down. Services with `onUnavailable: 'empty'`, the default with `NODE_ENV=development`, return empty values instead;
 * `storeSession`, which has none, and `createSession` with an `id` of your own still reject.
 *
 * @example
 * const sessions = new SessionManager<{ role: string }>()
 * const id = await sessions.createSession('user123', { role: 'admin' })
 * const session = await sessions.getSession(id) // { userId, createdAt, role } or null
 */
export interface SessionManager<Data extends object = KnownSessionData> extends SessionAliases<Data> {
  /**
   * Returns the same sessions with their calls bound to a deadline, a signal or both; statistics and loads are shared. If the signal of
   * a caller of `validateSession` aborts, only that caller rejects: `load` continues for the others. If bound again, the shorter time and
   * every signal apply.
   *
   * @example
   * const user = await SessionManager.with({ signal: request.signal }).validateSession(request, { load })
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option.
   */
  with(limits: CallLimits): SessionManager<Data>
  /**
   * Creates a session `{ userId, createdAt, ...data }` with a ttl of 24 hours; returns its id. A number as `userId` must be an integer and is stored
   * as text. A `userId` or `createdAt` in `data` is ignored. Rejects with `E_CONFLICT` if `options.id` is given and a session with this
   * id exists. With `maxPerUser` it also rejects with `E_TOO_MANY_SESSIONS`, and with `E_CONFLICT` if other sign-ins took its place.
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
   * Returns the session of a request, by its cookie or `Authorization: Bearer …`, with or without a user signed in. Whatever a client sends,
   * it is at worst no session.
   *
   * @example
   * const session = await sessions.fromRequest(request)
   * if (session.userId === null) return new Response('Sign in first.', { status: 401 })
   */
  fromRequest(request: SessionRequest, options?: CallLimits): Promise<RequestSession<Data>>
  /**
   * Returns a handler of fetch requests that passes the session to yours and commits your response. A request from another site that
   * may change something gets status 403; with `required`, one without a session gets 401. While the server cannot be reached, the status is
   * 503. These responses are `application/problem+json`.
   *
   * @example
   * export const POST = sessions.withSession(async (request, session) => {
   *   await session.update({ theme: 'dark' })
   *   return Response.json(session)
   * }, { required: true })
   */
  withSession<R extends SessionRequest, Rest extends unknown[]>(
    handler: (request: R, session: RequestSession<Data>, ...rest: Rest) => Response | Promise<Response>,
    options?: { required?: boolean },
  ): (request: R, ...rest: Rest) => Promise<Response>
  /**
   * Merges `changes` into the session, field by field, and renews its ttl to the one given to `createSession` or `storeSession`,
   * whatever this manager's own `ttl`, unless more is left after `extendSession` or `touch`, which it does not shorten. Concurrent
   * updates of different fields are all applied; other fields keep their bytes. Returns `false` if the session does not exist: an update
   * never recreates it.
   *
   * A `userId` in `changes` moves the session to that user, and `null` leaves it without one, so never pass unchecked client input.
   * It is a non-empty string, an integer or `null`; anything else rejects with `E_INVALID_ARGUMENT`. `createdAt` does not change.
   * Rejects with `E_CONFLICT` if concurrent writers win a thousand times in a row.
   *
   * @example
   * await sessions.updateSession(id, { remember: true }, { ttl: 30 * 86_400, remove: ['cart'] })
   */
  updateSession(
    id: string,
    changes: SessionChanges<Data>,
    options?: UpdateSessionOptions<Data> & CallLimits,
  ): Promise<boolean>
  /** Destroys the session; returns the number of keys removed, 0 or 1. */
  destroySession(id: string): Promise<number>
  /**
   * Sets the remaining ttl, in seconds (default 3600); returns `false` if the session does not exist. The cookie of a browser keeps its own
   * age, the ttl that the session was given; `update({}, { ttl })` of the session of a request sets both.
   */
  extendSession(id: string, seconds?: number): Promise<boolean>
  /**
   * Renews the ttl to the one that the session was given, or this once to `ttl` seconds; returns `false` if the session does not exist. As
   * with `extendSession`, the cookie of a browser keeps its age.
   */
  touch(id: string, ttl?: number): Promise<boolean>
  /**
   * Returns the key under which the store has the session of this id or token, for clients that read it themselves; `null` for a string
   * that cannot be an id. It makes no request: there need not be such a session.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for what is no string.
   */
  keyOf(id: string): string | null
  /**
   * Returns the id of the session under this key, or `null` if none follows from it: if it is no key of this manager's sessions, or if it
   * has 64 hexadecimal digits behind the prefix, as the hash of a token, or the hash of an id above 512 bytes. It makes no request.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for what is no string.
   */
  idOf(key: string): string | null
  /**
   * The ids of all sessions under the prefix, in no order, by `SCAN`, on all nodes of a cluster. Sessions with a token are left out, since the
   * store knows only its hash, and so are ids above 512 bytes and keys that hold no string. A string that another program has put under
   * the prefix counts as a session. Sessions that are created or end meanwhile may be missing. An id grants access to its session.
   *
   * It visits every key of the database, a thousand at a time, and remembers the ids; a deadline of `with` is that of each request.
   *
   * @example
   * for await (const id of sessions.ids()) await sessions.updateSession(id, { theme: 'dark' })
   */
  ids(): AsyncGenerator<string, void, undefined>
  /**
   * Counts the sessions under the prefix, with those that have a token or an id above 512 bytes, in the way that `ids` finds them: it
   * visits every key of the
   * database. One whose token is being rotated may count twice. It has no static form, since classes have a `length` of their own.
   */
  length(): Promise<number>
  /**
   * Stores any object under an id of your own, replacing an existing session; `ttl` is in seconds (default 3600). The session belongs to
   * the user in its `userId`; without one it belongs to no user. Rejects with `E_INVALID_ARGUMENT` for a `userId` that is neither a
   * non-empty string, an integer nor `null`.
   */
  storeSession(id: string, data: Data & Owner & { createdAt?: string }, ttl?: number): Promise<void>
  /**
   * Destroys all sessions created with this tag; returns how many. One write invalidates them all; then their values are deleted in
   * batches of some hundred. With `E_MAYBE_APPLIED`, `error.done` is how many are known to be deleted.
   */
  destroyByTag(tag: string): Promise<number>
  /**
   * Destroys all sessions of a user, including validated ones; returns how many. One write invalidates them all; then their values are
   * deleted in batches of some hundred. With `E_MAYBE_APPLIED`, `error.done` is how many are known to be deleted.
   */
  invalidateUser(userId: string | number): Promise<number>
  /**
   * Returns the ids of a user's sessions, without those that have a token, which the store does not know. An id grants access to its session, so show users the result of `describeSessions` instead. If
   * the server has evicted the list, a session reappears in it when it is renewed; `invalidateUser` does not need the list.
   */
  listSessions(userId: string | number): Promise<string[]>
  /**
   * Returns a user's sessions in a form that is safe to show to this user, each with a public id. Pass the id of the session that makes
   * the request as `current`.
   *
   * @example
   * const devices = await SessionManager.describeSessions('user123', { current: id })
   * await SessionManager.destroySessionOf('user123', devices[0].publicId)
   */
  describeSessions(
    userId: string | number,
    options?: { current?: string } & CallLimits,
  ): Promise<DescribedSession<Data>[]>
  /**
   * Binds a WebSocket, a stream of events or anything else that can be closed to a session: it is closed when the session ends, on
   * whatever process, and when it expires. A published message ends it within milliseconds; without permission for channels, and after
   * `storeSession`, it takes up to a third of a lease. If the session could not be read for a whole lease, it counts as ended. WebSockets are closed with code 4401.
   * An open connection does not renew the session. Returns `null`, and closes the socket, if there is no session or it has another user by
   * now; closes it too if this rejects.
   *
   * The state of the connection, `{ userId, session, connectedAt, ...state }`, is stored under `websocket:{id}` while it is open and its
   * process runs.
   *
   * @example
   * server.on('connection', async (socket, request) => {
   *   const session = await sessions.fromRequest(request)
   *   await sessions.bind(session, socket, { state: { rooms: ['lobby'] } })
   * })
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for what cannot be closed; `E_CONFLICT` if this manager has bound a connection with this id.
   */
  bind<State extends object = Record<string, unknown>>(
    session: string | RequestSession<Data>,
    socket: BoundSocket,
    options?: BindOptions<State>,
  ): Promise<BoundConnection<State> | null>
  /** Returns the states of the user's bound connections in all processes. */
  connections<State extends object = Record<string, unknown>>(
    userId: string | number,
  ): Promise<ConnectionState<State>[]>
  /**
   * Calls `handler` when a session has ended or its token was rotated, in whatever process; with the option `events`, also when one was
   * created. Sessions that expire are no events. Resolves once events are received.
   *
   * @example
   * await sessions.watch((event) => {
   *   if (event.type === 'ended') console.log(event.reason, event.userId)
   * })
   */
  watch(
    handler: (event: SessionEvent) => void,
    options?: WatchSessionsOptions & { onError?: (error: CinnabarError) => void },
  ): Promise<Subscription>
  /** Returns the events as an async iterable. */
  watch(options?: WatchSessionsOptions): Promise<SessionEvents>
  /** Destroys the session of this user with this public id; returns the number of keys removed, 0 or 1. */
  destroySessionOf(userId: string | number, publicId: string): Promise<number>
  /**
   * Removes the user that `validateSession` cached for a token, and prevents running loads for it, in any process, from being stored.
   * Call it after you have deleted the session from the database. Returns the number of keys removed, 0 or 1.
   */
  invalidateToken(request: TokenSource, options?: TokenOptions): Promise<number>
  /**
   * Returns the user of a token, or `null`: from the store, otherwise from `load`, whose result is then cached for `ttl` seconds. If the
   * server cannot be reached, the user comes from `load` alone, which `stats().fallbacks` counts. Concurrent calls for a token share one
   * load. Each gets its own copy of the user after a round trip through JSON, whether it was cached or has just been loaded.
   */
  validateSession<User>(request: TokenSource, options: ValidateOptions<User>): Promise<Jsonify<User> | null>
  /** Returns counts of `getSession` and `validateSession` since this manager was created. */
  stats(): SessionStats
}

/** Other names of methods of a `SessionManager`. */
export interface SessionAliases<Data extends object = KnownSessionData> {
  /** The same as `createSession`. */
  create(userId: string | number, ...rest: NewSession<Data>): Promise<string>
  /** The same as `getSession`. */
  get(id: string): Promise<Session<Data> | null>
  /** The same as `getSession`. */
  get(request: SessionRequest, options?: TokenOptions): Promise<Session<Data> | null>
  /** The same as `updateSession`. */
  update(id: string, changes: SessionChanges<Data>, options?: UpdateSessionOptions<Data> & CallLimits): Promise<boolean>
  /** The same as `destroySession`. */
  destroy(id: string): Promise<number>
  /** The same as `destroySession`. */
  deleteSession(id: string): Promise<number>
}

/** What a `RequestSession` can be committed to: responses, headers, and the cookies of Next.js. */
export type CommitTarget =
  | { readonly headers: { append(name: string, value: string): void; getSetCookie(): string[] } }
  | { append(name: string, value: string): void; getSetCookie(): string[] }
  | { getHeader(name: string): unknown; setHeader(name: string, value: string[]): unknown }
  | { header(name: string, value: string, options?: { append: true }): unknown }
  | {
      get(name: string): { readonly value: string } | undefined
      has(name: string): boolean
      getAll(name: string): readonly { readonly value: string }[]
      set(name: string, value: string, options: object): unknown
    }

/**
 * The session of one request. `commit` the response at the end, so that it sets or removes the cookie as follows from what was done.
 *
 * If the request comes from another site and may change something, or opens a WebSocket, `crossSite` is true: there is no session then, and the methods that
 * write reject with `E_CROSS_SITE`.
 *
 * @example
 * const session = await sessions.fromRequest(request)
 * await session.signIn(user.id, { role: 'admin' })
 * return session.commit(Response.redirect(new URL('/', request.url), 303))
 */
export interface RequestSession<Data extends object = KnownSessionData> {
  /** The session, or `null`. */
  readonly data: Session<Data> | null
  /** The user's id, or `null`. */
  readonly userId: string | null
  /** When the user signed in: the `createdAt` of the session. `null` without a user. Signing in again renews it. */
  readonly signedInAt: Date | null
  /**
   * Whether the user signed in at most so many seconds ago. Ask for the password again before sensitive actions, and call `signIn` then.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for no number above 0.
   */
  isFresh(seconds: number): boolean
  /** Whether another site has a browser send this request, and it may change something or opens a WebSocket. */
  readonly crossSite: boolean
  /**
   * The value of the `Set-Cookie` header that `commit` adds, or `null` if the cookie stays as it is.
   */
  readonly setCookie: string | null
  /**
   * Creates a session for this user with a new token, of which only the hash is stored, and ends the session that the request had. If that
   * was one of the same user or without a user, its data is kept, except where `data` has other values. Returns the sessions that ended because of
   * `maxPerUser`. Rejects with `E_TOO_MANY_SESSIONS` where none of them may, and with `E_CONFLICT` if the user was
   * signed out everywhere at the same time, or other sign-ins took its place.
   */
  signIn(userId: string | number, ...rest: SignIn<Data>): Promise<SignedIn<Data>>
  /**
   * Creates a session without a user, for a cart or a form, and ends the one that the request had. `signIn` keeps its data. It is created by
   * this call only, so visitors who need no session have none.
   */
  start(data?: Partial<Data>, options?: Pick<CreateSessionOptions, 'ttl'>): Promise<void>
  /** Returns the sessions of the user, as `describeSessions` does, with this one marked as `current`; `[]` without a user. */
  devices(): Promise<DescribedSession<Data>[]>
  /** Ends the session of the user with this public id, perhaps this one; returns the number of keys removed, 0 or 1. */
  revoke(publicId: string): Promise<number>
  /** Ends all other sessions of the user; returns how many. `invalidateUser` ends this one too. */
  revokeOthers(): Promise<number>
  /**
   * Merges `changes` into the session, as `updateSession` does, and renews its ttl. Returns `false` if the session has ended, or if the
   * request has none.
   */
  update(changes: SessionChanges<Data>, options?: UpdateSessionOptions<Data>): Promise<boolean>
  /**
   * Gives the session a new token and keeps its data; returns `false` if there is no session, or if it has to end because of
   * `maxPerUser`. The old token works for `graceSeconds` more
   * (default 10), so that other requests of the same page do not fail. Set 0 if the user's rights change.
   */
  rotate(options?: { graceSeconds?: number }): Promise<boolean>
  /** Ends the session and removes the cookie; returns the number of keys removed, 0 or 1. */
  destroy(): Promise<number>
  /**
   * Adds the cookie to a response, and returns the response; a copy if its headers cannot change. Takes a `Response`, `Headers`, the
   * response of Node.js or Express, the reply of Fastify, the context of Hono, or `await cookies()` of Next.js.
   */
  commit<Target extends CommitTarget>(target: Target): Target
  /** The same as `data`. */
  toJSON(): Session<Data> | null
}

/** What a sign-in did beside creating a session. */
export interface SignedIn<Data extends object = KnownSessionData> {
  /** The sessions of the user that ended, because there would have been more than `maxPerUser`. */
  ended: { publicId: string; session: Session<Data> }[]
}

/** The data of a session that `signIn` creates, optional if none of its fields is required, followed by its ttl in seconds and its tags. */
export type SignIn<Data extends object> = {} extends Data
  ? [data?: Data, options?: Pick<CreateSessionOptions, 'ttl' | 'tags'>]
  : [data: Data, options?: Pick<CreateSessionOptions, 'ttl' | 'tags'>]

/** Creates a `SessionManager`; has each of its methods but `length` too, on the default service. */
export interface SessionManagerConstructor extends Omit<SessionManager, 'length'> {
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
  /**
   * Options for the lives of sessions, by who recommends them, to be spread into yours.
   *
   * | preset      | ends unused after | ends in any case after | source                                      |
   * | ----------- | ----------------- | ---------------------- | ------------------------------------------- |
   * | `OWASP`     | 30 minutes        | 8 hours                | OWASP Session Management Cheat Sheet, low risk |
   * | `NIST_AAL2` | 30 minutes        | 12 hours               | NIST SP 800-63B, section 4.2.3              |
   * | `NIST_AAL3` | 15 minutes        | 12 hours               | NIST SP 800-63B, section 4.3.3              |
   *
   * @example
   * const sessions = new SessionManager(undefined, { ...SessionManager.presets.OWASP })
   */
  readonly presets: {
    readonly [Name in 'OWASP' | 'NIST_AAL2' | 'NIST_AAL3']: {
      readonly ttl: number
      readonly absoluteTtl: number
      readonly rolling: true
    }
  }
  readonly prototype: SessionManager
}

export const SessionManager: SessionManagerConstructor

// Nothing else is exported.
export {}
