import type { CinnabarError } from './errors.js'

/** A value that may be stored under a raw key or in a field. Numbers are stored in decimal. */
export type Storable = string | number | Uint8Array

/** A raw key. */
export type Key = string | Uint8Array

/** Options of `set`. `EX`, `PX` and `expiration` exclude each other, and so do `NX`, `XX` and `condition`. */
export type SetOptions = SetLife & SetCondition

/** The ttl of a key that is set. */
export type SetLife =
  | {
      /** The ttl in seconds, at least 1. */
      EX?: number
      PX?: undefined
      expiration?: undefined
    }
  | {
      /** The ttl in milliseconds, at least 1. */
      PX: number | undefined
      EX?: undefined
      expiration?: undefined
    }
  | {
      /** `EX` (seconds), `PX` (milliseconds) or `KEEPTTL`, as in node-redis 5. */
      expiration: { type: 'EX' | 'PX'; value: number } | { type: 'KEEPTTL' } | 'KEEPTTL' | undefined
      EX?: undefined
      PX?: undefined
    }

/** On which condition a key is set. */
export type SetCondition =
  | {
      /** Only if the key does not exist. */
      NX?: boolean
      XX?: false
      condition?: undefined
    }
  | {
      /** Only if the key exists. */
      XX: boolean | undefined
      NX?: false
      condition?: undefined
    }
  | {
      /** `NX` or `XX`, as in node-redis 5. */
      condition: 'NX' | 'XX' | undefined
      NX?: false
      XX?: false
    }

/** Options of `set` of the raw client: `SetOptions`, or `KEEPTTL`. */
export type RawSetOptions = (
  | (SetLife & { KEEPTTL?: false })
  | {
      /** Whether to keep the present ttl of the key. */
      KEEPTTL: boolean | undefined
      EX?: undefined
      PX?: undefined
      expiration?: undefined
    }
) &
  SetCondition

/**
 * An untyped reply. An integer beyond 2^53 is a string of digits, since a JavaScript number would round it. An error inside an
 * array is a `CinnabarError`.
 */
export type Reply = string | number | null | CinnabarError | Reply[]

/** An untyped reply with bytes instead of strings. */
export type BufferReply = Bytes | string | number | null | CinnabarError | BufferReply[]

/** A `Buffer`. */
export type Bytes = typeof globalThis extends { Buffer: { alloc(size: number): infer B extends Uint8Array } }
  ? B
  : Uint8Array

/** A member of a sorted set with its score. */
export interface ScoredMember {
  /** The score, by which members are sorted. `Infinity` and `-Infinity` are allowed, `NaN` is not. */
  score: number
  /** The member. */
  value: Storable
}

/** The part of a range to return. */
export interface RangeLimit {
  /** How many members to skip. */
  offset: number
  /** How many members to return at most. */
  count: number
}

/** A bound of a range: an index, a score, `'(5'` (exclusive), `'-inf'` or `'+inf'`. */
export type Bound = number | string

/**
 * The raw commands, with their arguments and results. The client sends each at once; `multi()` collects the same commands.
 *
 * Stored strings are returned as strings, in which invalid UTF-8 becomes U+FFFD; read binary data with the methods that end in
 * `Buffer`, or with `sendCommand(args, { buffers: true })`. A result beyond 2^53 rejects with `E_INVALID_DATA`, though the
 * command has been executed; `sendCommand` returns such a number as a string.
 *
 * With `onUnavailable: 'empty'`, commands that have no empty value reject without a server: those that return a sum (`incr`,
 * `hIncrBy`, `zIncrBy` …), a ttl or a text that is never `null`, `scan` and `eval`.
 */
export interface Commands {
  /** Returns `'PONG'`. */
  ping(): Promise<string>
  /** Returns information about the server, as text. */
  info(section?: string): Promise<string>
  /** Returns the number of keys. */
  dbSize(): Promise<number>
  /** Deletes every key of every database; on the embedded engine, of this database. */
  flushAll(): Promise<string>
  /** Deletes every key of this database. */
  flushDb(): Promise<string>
  /** Publishes a message unchanged; returns how many connections received it. */
  publish(channel: string, message: Storable): Promise<number>
  /** Runs a Lua script. The first `numberOfKeys` of the following arguments are keys. */
  eval(script: string, numberOfKeys: number, ...keysAndArgs: Storable[]): Promise<Reply>
  /** Returns some of the keys, and the cursor to continue with; `'0'` starts a scan and ends it. */
  scan(
    cursor?: string | number,
    options?: { MATCH?: string; COUNT?: number },
  ): Promise<{ cursor: string; keys: string[] }>
  /** Returns the type of a key: `'string'`, `'hash'`, `'list'`, `'set'`, `'zset'` or `'none'`. */
  type(key: Key): Promise<string>
  /** Returns how many of the keys exist. Without keys it returns 0 and sends nothing. */
  exists(...keys: (Key | Key[])[]): Promise<number>
  /** Deletes keys; returns how many existed. */
  del(...keys: (Key | Key[])[]): Promise<number>
  /** Deletes keys as `del` does, but frees their memory later. */
  unlink(...keys: (Key | Key[])[]): Promise<number>
  /** Sets the remaining ttl, in seconds; returns `false` if the key does not exist. */
  expire(key: Key, seconds: number): Promise<boolean>
  /** Sets the remaining ttl, in milliseconds; returns `false` if the key does not exist. */
  pExpire(key: Key, ms: number): Promise<boolean>
  /** Removes the ttl of a key; returns `false` if it had none. */
  persist(key: Key): Promise<boolean>
  /** Returns the remaining ttl, in seconds; -1 if the key has none, -2 if it does not exist. */
  ttl(key: Key): Promise<number>
  /** Returns the remaining ttl, in milliseconds; -1 if the key has none, -2 if it does not exist. */
  pTTL(key: Key): Promise<number>

  /** Returns the string under a key, or `null`. */
  get(key: Key): Promise<string | null>
  /** Stores a string and, with `GET`, returns the previous one. */
  set(key: Key, value: Storable, options: RawSetOptions & { GET: true }): Promise<string | null>
  /** Stores a string; returns `null` if `NX` or `XX` prevented it. */
  set(key: Key, value: Storable, options?: RawSetOptions & { GET?: false }): Promise<'OK' | null>
  /** Adds 1; returns the sum. */
  incr(key: Key): Promise<number>
  /** Adds an integer; returns the sum. */
  incrBy(key: Key, increment: number): Promise<number>
  /** Subtracts 1; returns the difference. */
  decr(key: Key): Promise<number>
  /** Subtracts an integer; returns the difference. */
  decrBy(key: Key, decrement: number): Promise<number>
  /** Returns several values in the order of their keys. Without keys it returns `[]` and sends nothing. */
  mGet(...keys: (Key | Key[])[]): Promise<(string | null)[]>
  /** Stores several values: an object, an array of pairs, or key, value, key, value… */
  mSet(
    values: Readonly<Record<string, Storable>> | readonly (readonly [Key, Storable])[] | readonly Storable[],
  ): Promise<string>
  /** Stores several values, given as key, value, key, value… */
  mSet(key: Key, value: Storable, ...more: Storable[]): Promise<string>

  /** Sets a field of a hash; returns 1 if the field is new, otherwise 0. */
  hSet(key: Key, field: Storable, value: Storable): Promise<number>
  /** Sets several fields; returns how many are new. */
  hSet(key: Key, fields: Readonly<Record<string, Storable>>): Promise<number>
  /** Returns a field, or `null`. */
  hGet(key: Key, field: Storable): Promise<string | null>
  /** Returns all fields, as an object without a prototype, which is empty if the key does not exist. */
  hGetAll(key: Key): Promise<Record<string, string>>
  /** Deletes fields; returns how many existed. */
  hDel(key: Key, ...fields: (Storable | Storable[])[]): Promise<number>
  /** Returns whether the hash has a field. */
  hExists(key: Key, field: Storable): Promise<boolean>
  /** Returns the names of all fields. */
  hKeys(key: Key): Promise<string[]>
  /** Returns the values of all fields. */
  hVals(key: Key): Promise<string[]>
  /** Returns the number of fields. */
  hLen(key: Key): Promise<number>
  /** Returns several fields, in the order of the arguments. */
  hMGet(key: Key, ...fields: (Storable | Storable[])[]): Promise<(string | null)[]>
  /** Adds an integer to a field; returns the sum. */
  hIncrBy(key: Key, field: Storable, increment: number): Promise<number>

  /** Inserts one or more elements at the head; returns the length. */
  lPush(key: Key, ...elements: (Storable | Storable[])[]): Promise<number>
  /** Appends one or more elements; returns the length. */
  rPush(key: Key, ...elements: (Storable | Storable[])[]): Promise<number>
  /** Returns the elements from `start` to `stop`, both included; -1 is the last. */
  lRange(key: Key, start: number, stop: number): Promise<string[]>
  /** Removes all elements but those from `start` to `stop`, both included. */
  lTrim(key: Key, start: number, stop: number): Promise<string>
  /** Returns the number of elements. */
  lLen(key: Key): Promise<number>
  /** Removes and returns the first element, or `null` if the list is empty. */
  lPop(key: Key): Promise<string | null>
  /** Removes and returns the last element, or `null` if the list is empty. */
  rPop(key: Key): Promise<string | null>

  /** Adds members; returns how many are new. With no members, returns 0 and sends nothing. */
  sAdd(key: Key, ...members: (Storable | Storable[])[]): Promise<number>
  /** Removes members; returns how many existed. */
  sRem(key: Key, ...members: (Storable | Storable[])[]): Promise<number>
  /** Returns all members, in no particular order. */
  sMembers(key: Key): Promise<string[]>
  /** Returns whether the set has a member. */
  sIsMember(key: Key, member: Storable): Promise<boolean>
  /** Returns the number of members. */
  sCard(key: Key): Promise<number>

  /** Adds members, or changes their scores; returns how many are new. */
  zAdd(key: Key, members: ScoredMember | readonly ScoredMember[]): Promise<number>
  /** Returns the members from `start` to `stop`, by rank or by `SCORE`; with `REV`, the highest first. */
  zRange(
    key: Key,
    start: Bound,
    stop: Bound,
    options?: { BY?: 'SCORE'; REV?: boolean; LIMIT?: RangeLimit },
  ): Promise<string[]>
  /** Returns members by rank, the highest first. */
  zRevRange(key: Key, start: number, stop: number): Promise<string[]>
  /** Returns the members with a score between `min` and `max`. */
  zRangeByScore(key: Key, min: Bound, max: Bound, options?: { LIMIT?: RangeLimit }): Promise<string[]>
  /** Returns the score of a member, or `null`. */
  zScore(key: Key, member: Storable): Promise<number | null>
  /** Removes members; returns how many existed. */
  zRem(key: Key, ...members: (Storable | Storable[])[]): Promise<number>
  /** Returns the number of members. */
  zCard(key: Key): Promise<number>
  /** Adds to a member's score; returns the sum. */
  zIncrBy(key: Key, increment: number, member: Storable): Promise<number>
}

/**
 * Commands that return bytes: like those without `Buffer` in their names, but with a `Buffer` for each string. Names of fields remain
 * strings.
 */
export interface BufferCommands {
  /** Like `get`, but returns bytes. */
  getBuffer(key: Key): Promise<Bytes | null>
  /** Like `mGet`, but returns bytes. */
  mGetBuffer(...keys: (Key | Key[])[]): Promise<(Bytes | null)[]>
  /** Like `eval`, but returns bytes. */
  evalBuffer(script: string, numberOfKeys: number, ...keysAndArgs: Storable[]): Promise<BufferReply>
  /** Like `hGet`, but returns bytes. */
  hGetBuffer(key: Key, field: Storable): Promise<Bytes | null>
  /** Like `hGetAll`, but returns bytes. */
  hGetAllBuffer(key: Key): Promise<Record<string, Bytes>>
  /** Like `hKeys`, but returns bytes. */
  hKeysBuffer(key: Key): Promise<Bytes[]>
  /** Like `hVals`, but returns bytes. */
  hValsBuffer(key: Key): Promise<Bytes[]>
  /** Like `hMGet`, but returns bytes. */
  hMGetBuffer(key: Key, ...fields: (Storable | Storable[])[]): Promise<(Bytes | null)[]>
  /** Like `lRange`, but returns bytes. */
  lRangeBuffer(key: Key, start: number, stop: number): Promise<Bytes[]>
  /** Like `lPop`, but returns bytes. */
  lPopBuffer(key: Key): Promise<Bytes | null>
  /** Like `rPop`, but returns bytes. */
  rPopBuffer(key: Key): Promise<Bytes | null>
  /** Like `sMembers`, but returns bytes. */
  sMembersBuffer(key: Key): Promise<Bytes[]>
  /** Like `zRange`, but returns bytes. */
  zRangeBuffer(
    key: Key,
    start: Bound,
    stop: Bound,
    options?: { BY?: 'SCORE'; REV?: boolean; LIMIT?: RangeLimit },
  ): Promise<Bytes[]>
  /** Like `zRevRange`, but returns bytes. */
  zRevRangeBuffer(key: Key, start: number, stop: number): Promise<Bytes[]>
  /** Like `zRangeByScore`, but returns bytes. */
  zRangeByScoreBuffer(key: Key, min: Bound, max: Bound, options?: { LIMIT?: RangeLimit }): Promise<Bytes[]>
}
