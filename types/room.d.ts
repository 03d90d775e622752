import type { CallLimits } from './calls.js'
import type { CinnabarError } from './errors.js'
import type { Fields, Jsonify } from './json.js'
import type { Gap, Subscription } from './pubsub.js'
import type { RedisService } from './service.js'
import type { SessionManagerOptions } from './session.js'

/** Options of a `RealtimeDataManager`. */
export interface RealtimeDataManagerOptions {
  /**
   * What the keys begin with. Default `'room:'`. Must not overlap with another prefix: see
   * {@link SessionManagerOptions.prefix}.
   */
  prefix?: string
  /**
   * How long a process may be silent before those who joined through it count as gone, in milliseconds from 100 to 3600000.
   * Others notice within a third of it more. Default `10000`.
   */
  leaseMs?: number
}

/** A user in a room as `getRoomUsers` returns it: its fields after a round trip through JSON. */
export type RoomUser<T extends object = Record<string, unknown>> = Jsonify<T> & {
  /** When the user joined. */
  joinedAt: string
}

/** What stands in for a stored user that is not JSON. */
export interface InvalidRoomUser {
  /** Says so. */
  error: 'Invalid data'
}

/** A message as `getRecentMessages` returns it: its fields after a round trip through JSON. */
export type RoomMessage<T extends object = Record<string, unknown>> = Jsonify<T> & {
  /** When it was stored. */
  timestamp: string
}

/** A message as `send` stores and tells it. */
export type SentMessage<T extends object = Record<string, unknown>> = RoomMessage<T> & {
  /** Its number: one more than that of the message before it in its room. */
  seq: number
}

/**
 * A connection of a user that is in a room. It does not keep the process alive: that is for the socket behind it. One that ends
 * without `leave()` and without `disconnect()` is swept out when its lease is over.
 */
export interface Membership extends AsyncDisposable {
  /** Which room. */
  readonly roomId: string
  /** Who is in it. */
  readonly userId: string
  /**
   * Takes the connection out; its user leaves the room with the last one. Never rejects: where the server cannot be told within
   * `timeoutMs`, it is told as soon as it answers again. May be called twice, also after `disconnect()`, which has all leave.
   */
  leave(): Promise<void>
  /** `leave()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** Somebody came, left, or is known by something else from now on. Told once a user, however many connections that is. */
export interface RoomChange<T extends object = Record<string, unknown>> {
  /** `update`: the user was there, and `user` is new. */
  type: 'join' | 'leave' | 'update'
  /** Who. */
  userId: string
  /** What is known; of one who has left, what was. */
  user: RoomUser<T> | InvalidRoomUser
}

/** How to watch a room. */
export interface WatchOptions {
  /** Called when the watch has ended by itself: another type of value is in its place. Default: one line of `console.error`. */
  onError?: (error: CinnabarError) => void
}

/** An open watch. Keeps the process alive, and sweeps dead processes out of all rooms of its prefix. */
export interface RoomWatch<T extends object = Record<string, unknown>> extends Subscription {
  /** Which room. */
  readonly roomId: string
  /** Who is there, by id, as far as has been told. Current when a change is told. */
  readonly users: ReadonlyMap<string, RoomUser<T> | InvalidRoomUser>
}

/** An open watch without a handler. What waits for a slow loop is bounded: it may be told what has become of several changes. */
export interface RoomWatchStream<T extends object = Record<string, unknown>> extends RoomWatch<T> {
  /** @throws {CinnabarError} from `next()`, once, when the watch has ended by itself. */
  [Symbol.asyncIterator](): AsyncIterableIterator<RoomChange<T>>
}

/** How to listen to a room without a handler. */
export interface ListenStreamOptions {
  /**
   * The number of the last message that is known already: what was sent after it comes first. `0`: all that is kept. Default:
   * only what is sent from now on.
   */
  since?: number
  /**
   * Called where messages are missing, in their place: more than the last 100, or 24 hours, or lost with the server's
   * data. Default: one line of `console.warn` at the first gap; an iterator tells by `missed`.
   */
  onGap?: (gap: Gap) => void
}

/** How to listen to a room. */
export interface ListenOptions extends ListenStreamOptions {
  /** Called when listening has ended by itself: another type of value is in its place. Default: one line of `console.error`. */
  onError?: (error: CinnabarError) => void
}

/** An open listener without a handler. A loop that waits for its body gets the next message when it asks for it. */
export interface RoomMessageStream<T extends object = Record<string, unknown>> extends Subscription {
  /** @throws {CinnabarError} from `next()`, once, when listening has ended by itself. */
  [Symbol.asyncIterator](): AsyncIterableIterator<HeardMessage<T>>
}

/** One message of a `RoomMessageStream`. */
export interface HeardMessage<T extends object = Record<string, unknown>> {
  /** Its number. */
  seq: number
  /** What was sent. */
  message: SentMessage<T>
  /** How many messages are missing between the one before and this one. */
  missed: number | 'unknown'
}

/**
 * Rooms: who is in them, and the last hundred messages of 24 hours. Every method also exists as a static one, on the default
 * service.
 *
 * `addUserToRoom` and `storeMessage` write and no more. `join` and `send` do what a chat needs on several servers: a
 * connection leaves with its process, however that ends, and a message has a number by which nothing is missed unnoticed.
 *
 * Rooms and users may come from clients. Of a string that cannot be the id of one (empty, over 64 KiB, with a NUL or a lone
 * surrogate) there is nothing to read or remove, and `watch` and `listen` report nothing until they are closed. Methods that write
 * reject with `E_INVALID_ARGUMENT`.
 *
 * Without a server every method rejects. On a service with `onUnavailable: 'empty'`, `getRoomUsers` returns `{}`,
 * `getRecentMessages` `[]` and `removeUserFromRoom` 0.
 *
 * Sweeping goes by leases and needs a server that forgets nothing by itself: `maxmemory-policy noeviction`.
 */
export interface RealtimeDataManager {
  /**
   * The same rooms with their calls bound to a deadline, a signal or both. Bound once more, the shorter time and every signal
   * count.
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or bad option.
   */
  with(limits: CallLimits): RealtimeDataManager
  /** Puts a user into a room, or replaces what is known about one. `joinedAt` is added. */
  addUserToRoom<T extends object>(roomId: string, userId: string, info?: T & Fields<T>): Promise<void>
  /** Takes a user out of a room; returns how many were taken out, 0 or 1. */
  removeUserFromRoom(roomId: string, userId: string): Promise<number>
  /**
   * Returns the users of a room by id, as an object without a prototype; empty if the room is. A value that is not valid JSON
   * reads as `{ error: 'Invalid data' }`.
   */
  getRoomUsers<T extends object = Record<string, unknown>>(
    roomId: string,
  ): Promise<Record<string, RoomUser<T> | InvalidRoomUser>>
  /**
   * Stores a message, with `timestamp` added. The last 100 are kept, for 24 h. A `seq` field that could be mistaken for the
   * number of a sent message is removed.
   */
  storeMessage<T extends object>(roomId: string, message: T & Fields<T>): Promise<void>
  /** The newest messages first, 10 unless told. Sent ones have a `seq`. */
  getRecentMessages<T extends object = Record<string, unknown>>(
    roomId: string,
    count?: number,
  ): Promise<RoomMessage<T>[]>
  /**
   * Puts a connection of a user into a room until it leaves: by `leave()`, by `disconnect()`, or, should this process die, when
   * its lease is over (`leaseMs`, and a third of it). The user is there from the first connection of any process to the last,
   * with the `info` of the first, at most 64 KiB as JSON. `removeUserFromRoom` takes out a user whatever connections there are.
   *
   * @example
   * socket.on('connection', async (socket) => {
   *   const membership = await rooms.join('lobby', 'ada', { colour: 'red' })
   *   socket.on('close', () => membership.leave())
   * })
   * @throws {CinnabarError} also `E_TIMEOUT`, when there was no answer in time: a seat that comes later is given back.
   */
  join<T extends object>(roomId: string, userId: string, info?: T & Fields<T>): Promise<Membership>
  /**
   * Tells who comes and goes, from those on who are in `users` when this resolves. Nothing is told of changes that other
   * clients make to the hash by themselves before the next look, every half minute or so.
   */
  watch<T extends object = Record<string, unknown>>(
    roomId: string,
    handler: (change: RoomChange<T>) => unknown,
    options?: WatchOptions,
  ): Promise<RoomWatch<T>>
  watch<T extends object = Record<string, unknown>>(roomId: string): Promise<RoomWatchStream<T>>
  /**
   * Adds a message as `storeMessage` does, with `seq` besides, and tells it to who listens; returns `seq`. At most 1 MiB as
   * JSON. The first number of a room is the time in microseconds, each further one is one more. After `E_MAYBE_APPLIED` it may
   * or may not have been sent.
   */
  send<T extends object>(roomId: string, message: T & Fields<T>): Promise<number>
  /**
   * Calls `handler` for what was sent after `since`, and then for what is sent: in the order of the numbers, each once, whatever
   * becomes of the connection. What is missing is told where it is missing. A listener that is slow is told later; nobody
   * waits for it, and it costs no memory to speak of. Stored messages, which have no number, are not told.
   *
   * @example
   * const listener = await rooms.listen('lobby', (message) => socket.send(JSON.stringify(message)), {
   *   since: lastSeen,
   *   onGap: ({ missed }) => socket.send(JSON.stringify({ missed })),
   * })
   */
  listen<T extends object = Record<string, unknown>>(
    roomId: string,
    handler: (message: SentMessage<T>, seq: number) => unknown,
    options?: ListenOptions,
  ): Promise<Subscription>
  listen<T extends object = Record<string, unknown>>(
    roomId: string,
    options?: ListenStreamOptions,
  ): Promise<RoomMessageStream<T>>
}

/** Makes a `RealtimeDataManager`; also has each of its methods, on the default service. */
export interface RealtimeDataManagerConstructor extends RealtimeDataManager {
  /**
   * Without a service it uses the default one, which reads its settings from the environment on its first call.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option, or if `service` is not a `RedisService`.
   * `E_INVALID_SETTINGS` for an invalid prefix, or one that overlaps with another.
   */
  new (service?: RedisService, options?: RealtimeDataManagerOptions): RealtimeDataManager
  readonly prototype: RealtimeDataManager
}

export const RealtimeDataManager: RealtimeDataManagerConstructor
