import type { CinnabarError } from './errors.js'

/** What may be stored under a raw key or in a field. Numbers are written in decimal. */
export type Storable = string | number | Uint8Array

/** A raw key. */
export type Key = string | Uint8Array

/** How `SET` writes. `EX`, `PX` and `expiration` exclude each other, and so do `NX`, `XX` and `condition`. */
export type SetOptions = SetLife & SetCondition

/** How long a key that is set lives. */
export type SetLife =
  | {
      /** Life in seconds, at least 1. */
      EX?: number
      PX?: undefined
      expiration?: undefined
    }
  | {
      /** Life in milliseconds, at least 1. */
      PX: number | undefined
      EX?: undefined
      expiration?: undefined
    }
  | {
      /** `EX`, `PX` or `KEEPTTL`, as in node-redis 5. */
      expiration: { type: 'EX' | 'PX'; value: number } | { type: 'KEEPTTL' } | 'KEEPTTL' | undefined
      EX?: undefined
      PX?: undefined
    }

/** When a key is set. */
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

/** `SetOptions` of the raw client, or one that keeps the life that the key has. */
export type RawSetOptions = (
  | (SetLife & { KEEPTTL?: false })
  | {
      /** Keeps the life that the key has. */
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
  /** Its place in the order; `Infinity` and `-Infinity` are allowed, `NaN` is not. */
  score: number
  /** The member. */
  value: Storable
}

/** A part of a range. */
export interface RangeLimit {
  /** How many to leave out at the start. */
  offset: number
  /** How many to answer at most. */
  count: number
}

/** A bound of a range: an index, a score, `'(5'` (exclusive), `'-inf'` or `'+inf'`. */
export type Bound = number | string

/**
 * The raw commands, with their arguments and results. The client sends each at once; `multi()` collects the same ones.
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
  /** What the server tells about itself, as text. */
  info(section?: string): Promise<string>
  /** How many keys there are. */
  dbSize(): Promise<number>
  /** Deletes every key of every database; on the embedded engine, of this database. */
  flushAll(): Promise<string>
  /** Deletes every key of this database. */
  flushDb(): Promise<string>
  /** Sends a message as it is; returns how many got it. */
  publish(channel: string, message: Storable): Promise<number>
  /** Runs a Lua script. `numberOfKeys` of what follows are keys. */
  eval(script: string, numberOfKeys: number, ...keysAndArgs: Storable[]): Promise<Reply>
  /** Some of the keys, and the cursor that continues; `'0'` begins and ends. */
  scan(
    cursor?: string | number,
    options?: { MATCH?: string; COUNT?: number },
  ): Promise<{ cursor: string; keys: string[] }>
  /** `'string'`, `'hash'`, `'list'`, `'set'`, `'zset'` or `'none'`. */
  type(key: Key): Promise<string>
  /** Counts which of the keys exist. Without keys it returns 0 and sends nothing. */
  exists(...keys: (Key | Key[])[]): Promise<number>
  /** Deletes keys; returns how many there were. */
  del(...keys: (Key | Key[])[]): Promise<number>
  /** Like `del`; the memory is freed later. */
  unlink(...keys: (Key | Key[])[]): Promise<number>
  /** Sets the remaining life in seconds; `false` when there is no such key. */
  expire(key: Key, seconds: number): Promise<boolean>
  /** Sets the remaining life in milliseconds; `false` when there is no such key. */
  pExpire(key: Key, ms: number): Promise<boolean>
  /** Takes the end of life away; `false` when there was none. */
  persist(key: Key): Promise<boolean>
  /** Remaining life in seconds; -1 without one, -2 without a key. */
  ttl(key: Key): Promise<number>
  /** Remaining life in milliseconds; -1 without one, -2 without a key. */
  pTTL(key: Key): Promise<number>

  /** The string under a key, or `null`. */
  get(key: Key): Promise<string | null>
  /** Stores a string. With `GET`, returns the value that was there before. */
  set(key: Key, value: Storable, options: RawSetOptions & { GET: true }): Promise<string | null>
  /** Stores a string; `null` when `NX` or `XX` kept it from that. `KEEPTTL` keeps the life that the key had. */
  set(key: Key, value: Storable, options?: RawSetOptions & { GET?: false }): Promise<'OK' | null>
  /** Adds 1; returns the sum. */
  incr(key: Key): Promise<number>
  /** Adds a whole number; returns the sum. */
  incrBy(key: Key, increment: number): Promise<number>
  /** Takes 1 away; returns the difference. */
  decr(key: Key): Promise<number>
  /** Takes a whole number away; returns the difference. */
  decrBy(key: Key, decrement: number): Promise<number>
  /** Several values in the order of their keys. Without keys it returns `[]` and sends nothing. */
  mGet(...keys: (Key | Key[])[]): Promise<(string | null)[]>
  /** Stores several values: an object, an array of pairs, or key, value, key, value… */
  mSet(
    values: Readonly<Record<string, Storable>> | readonly (readonly [Key, Storable])[] | readonly Storable[],
  ): Promise<string>
  /** Stores several values given one after the other. */
  mSet(key: Key, value: Storable, ...more: Storable[]): Promise<string>

  /** Sets a field of a hash; returns 1 when it is new, else 0. */
  hSet(key: Key, field: Storable, value: Storable): Promise<number>
  /** Sets several fields; returns how many are new. */
  hSet(key: Key, fields: Readonly<Record<string, Storable>>): Promise<number>
  /** One field, or `null`. */
  hGet(key: Key, field: Storable): Promise<string | null>
  /** All fields, as an object without a prototype; empty if the key does not exist. */
  hGetAll(key: Key): Promise<Record<string, string>>
  /** Deletes fields; returns how many there were. */
  hDel(key: Key, ...fields: (Storable | Storable[])[]): Promise<number>
  /** Whether the hash has a field. */
  hExists(key: Key, field: Storable): Promise<boolean>
  /** The names of all fields. */
  hKeys(key: Key): Promise<string[]>
  /** The values of all fields. */
  hVals(key: Key): Promise<string[]>
  /** How many fields there are. */
  hLen(key: Key): Promise<number>
  /** Several fields in the order asked for. */
  hMGet(key: Key, ...fields: (Storable | Storable[])[]): Promise<(string | null)[]>
  /** Adds a whole number to a field; returns the sum. */
  hIncrBy(key: Key, field: Storable, increment: number): Promise<number>

  /** Inserts one or more elements at the head; returns the length. */
  lPush(key: Key, ...elements: (Storable | Storable[])[]): Promise<number>
  /** Appends one or more elements; returns the length. */
  rPush(key: Key, ...elements: (Storable | Storable[])[]): Promise<number>
  /** Elements from `start` to `stop`, both included; -1 is the last. */
  lRange(key: Key, start: number, stop: number): Promise<string[]>
  /** Keeps only the elements from `start` to `stop`. */
  lTrim(key: Key, start: number, stop: number): Promise<string>
  /** How many elements there are. */
  lLen(key: Key): Promise<number>
  /** Takes the first element, or `null`. */
  lPop(key: Key): Promise<string | null>
  /** Takes the last element, or `null`. */
  rPop(key: Key): Promise<string | null>

  /** Adds members; returns how many are new. With no members, returns 0 and sends nothing. */
  sAdd(key: Key, ...members: (Storable | Storable[])[]): Promise<number>
  /** Removes members; returns how many there were. */
  sRem(key: Key, ...members: (Storable | Storable[])[]): Promise<number>
  /** All members, in no order. */
  sMembers(key: Key): Promise<string[]>
  /** Whether it is a member. */
  sIsMember(key: Key, member: Storable): Promise<boolean>
  /** How many members there are. */
  sCard(key: Key): Promise<number>

  /** Adds members or moves them to a new score; returns how many are new. */
  zAdd(key: Key, members: ScoredMember | readonly ScoredMember[]): Promise<number>
  /** Members from `start` to `stop`: by rank or by `SCORE`; `REV` returns the highest first. */
  zRange(
    key: Key,
    start: Bound,
    stop: Bound,
    options?: { BY?: 'SCORE'; REV?: boolean; LIMIT?: RangeLimit },
  ): Promise<string[]>
  /** Members by rank, the highest first. */
  zRevRange(key: Key, start: number, stop: number): Promise<string[]>
  /** Members with a score between `min` and `max`. */
  zRangeByScore(key: Key, min: Bound, max: Bound, options?: { LIMIT?: RangeLimit }): Promise<string[]>
  /** The score of a member, or `null`. */
  zScore(key: Key, member: Storable): Promise<number | null>
  /** Removes members; returns how many there were. */
  zRem(key: Key, ...members: (Storable | Storable[])[]): Promise<number>
  /** How many members there are. */
  zCard(key: Key): Promise<number>
  /** Adds to a member's score; returns the sum. */
  zIncrBy(key: Key, increment: number, member: Storable): Promise<number>
}

/**
 * Commands that return bytes: as those without `Buffer` in their names, but with a `Buffer` for each string. Names of fields stay
 * strings.
 */
export interface BufferCommands {
  /** As `get`. */
  getBuffer(key: Key): Promise<Bytes | null>
  /** As `mGet`. */
  mGetBuffer(...keys: (Key | Key[])[]): Promise<(Bytes | null)[]>
  /** As `eval`. */
  evalBuffer(script: string, numberOfKeys: number, ...keysAndArgs: Storable[]): Promise<BufferReply>
  /** As `hGet`. */
  hGetBuffer(key: Key, field: Storable): Promise<Bytes | null>
  /** As `hGetAll`. */
  hGetAllBuffer(key: Key): Promise<Record<string, Bytes>>
  /** As `hKeys`. */
  hKeysBuffer(key: Key): Promise<Bytes[]>
  /** As `hVals`. */
  hValsBuffer(key: Key): Promise<Bytes[]>
  /** As `hMGet`. */
  hMGetBuffer(key: Key, ...fields: (Storable | Storable[])[]): Promise<(Bytes | null)[]>
  /** As `lRange`. */
  lRangeBuffer(key: Key, start: number, stop: number): Promise<Bytes[]>
  /** As `lPop`. */
  lPopBuffer(key: Key): Promise<Bytes | null>
  /** As `rPop`. */
  rPopBuffer(key: Key): Promise<Bytes | null>
  /** As `sMembers`. */
  sMembersBuffer(key: Key): Promise<Bytes[]>
  /** As `zRange`. */
  zRangeBuffer(
    key: Key,
    start: Bound,
    stop: Bound,
    options?: { BY?: 'SCORE'; REV?: boolean; LIMIT?: RangeLimit },
  ): Promise<Bytes[]>
  /** As `zRevRange`. */
  zRevRangeBuffer(key: Key, start: number, stop: number): Promise<Bytes[]>
  /** As `zRangeByScore`. */
  zRangeByScoreBuffer(key: Key, min: Bound, max: Bound, options?: { LIMIT?: RangeLimit }): Promise<Bytes[]>
}
