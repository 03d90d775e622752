import type { CallLimits } from './calls.js'
import type { CinnabarError } from './errors.js'
import type { Fields, Jsonify } from './json.js'
import type { Gap, Subscription } from './pubsub.js'
import type { RedisService } from './service.js'
import type { SessionManagerOptions } from './session.js'

/** Options of a `RealtimeDataManager`. */
export interface RealtimeDataManagerOptions {
  /**
   * The prefix of the keys. Default `'room:'`. It must not overlap with another prefix: see {@link SessionManagerOptions.prefix}.
   */
  prefix?: string
  /**
   * How long a process's lease on its members lasts, in milliseconds from 100 to 3600000. When a process dies, its members leave once
   * its lease has expired; other processes notice that within another third of it. Default `10000`.
   */
  leaseMs?: number
}

/** A user in a room as `getRoomUsers` returns it: its fields after a round trip through JSON. */
export type RoomUser<T extends object = Record<string, unknown>> = Jsonify<T> & {
  /** When the user joined, as an ISO 8601 time. */
  joinedAt: string
}

/** What is returned for a stored user that is not valid JSON. */
export interface InvalidRoomUser {
  /** Always `'Invalid data'`. */
  error: 'Invalid data'
}

/** A message as `getRecentMessages` returns it: its fields after a round trip through JSON. */
export type RoomMessage<T extends object = Record<string, unknown>> = Jsonify<T> & {
  /** When the message was stored, as an ISO 8601 time. */
  timestamp: string
}

/** A message as `send` stores and publishes it. */
export type SentMessage<T extends object = Record<string, unknown>> = RoomMessage<T> & {
  /** The message's number, one greater than that of the message before it in the room. */
  seq: number
}

/**
 * A membership: one connection of a user in a room. It does not keep the process alive; the socket that it stands for does. If the
 * process ends without `leave()` or `disconnect()`, the membership is removed after the process's lease has expired.
 */
export interface Membership extends AsyncDisposable {
  /** The room's id. */
  readonly roomId: string
  /** The user's id. */
  readonly userId: string
  /**
   * Removes the membership; the user leaves the room with the last one. Never rejects: if the server does not reply within `timeoutMs`,
   * the membership is removed as soon as it is available again. May be called twice, also after `disconnect()`, which ends all
   * memberships.
   */
  leave(): Promise<void>
  /** Calls `leave()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** A change of the users in a room. Reported once per user, however many memberships the user has. */
export interface RoomChange<T extends object = Record<string, unknown>> {
  /** `update`: the user was in the room already, and `user` is new. */
  type: 'join' | 'leave' | 'update'
  /** The user's id. */
  userId: string
  /** The user's fields; for `leave`, those that the user had. */
  user: RoomUser<T> | InvalidRoomUser
}

/** Options of `watch` with a handler. `signal` and `timeoutMs` limit the opening; what is open is ended by `close()`. */
export interface WatchOptions extends CallLimits {
  /** Called when the watch has ended by itself, because the room's key holds another type of value. Default: one line of `console.error`. */
  onError?: (error: CinnabarError) => void
}

/** An open watch of a room. Keeps the process alive, and removes the members of dead processes from all rooms of its prefix. */
export interface RoomWatch<T extends object = Record<string, unknown>> extends Subscription {
  /** The room's id. */
  readonly roomId: string
  /** The users in the room by id, as of the latest reported change. */
  readonly users: ReadonlyMap<string, RoomUser<T> | InvalidRoomUser>
}

/** An open watch without a handler. Its buffer is bounded: a slow loop may get the outcome of several changes instead of each. */
export interface RoomWatchStream<T extends object = Record<string, unknown>> extends RoomWatch<T> {
  /** @throws {CinnabarError} from `next()`, once, when the watch has ended by itself. */
  [Symbol.asyncIterator](): AsyncIterableIterator<RoomChange<T>>
}

/** Options of `listen` without a handler. `signal` and `timeoutMs` limit the opening; what is open is ended by `close()`. */
export interface ListenStreamOptions extends CallLimits {
  /**
   * The number of the last message that is known already; messages sent after it are delivered first. `0` delivers all stored ones.
   * Default: only messages sent from now on.
   */
  since?: number
  /**
   * Called where messages are missing, between those before and after them: they were not among the last 100, were older than 24 hours,
   * or were lost with the server's data. Default: one line of `console.warn` at the first gap; nothing for an iterator, whose messages
   * have `missed`.
   */
  onGap?: (gap: Gap) => void
}

/** Options of `listen` with a handler. */
export interface ListenOptions extends ListenStreamOptions {
  /** Called when listening has ended by itself, because the room's key holds another type of value. Default: one line of `console.error`. */
  onError?: (error: CinnabarError) => void
}

/** An open listener without a handler. The loop gets the next message when it asks for one. */
export interface RoomMessageStream<T extends object = Record<string, unknown>> extends Subscription {
  /** @throws {CinnabarError} from `next()`, once, when listening has ended by itself. */
  [Symbol.asyncIterator](): AsyncIterableIterator<HeardMessage<T>>
}

/** A message of a `RoomMessageStream`. */
export interface HeardMessage<T extends object = Record<string, unknown>> {
  /** The message's number. */
  seq: number
  /** The message as it was sent. */
  message: SentMessage<T>
  /** How many messages are missing between the previous one and this one. */
  missed: number | 'unknown'
}

/**
 * Rooms: the users in them, and the last hundred messages of 24 hours. Every method also exists as a static one, on the default
 * service.
 *
 * `addUserToRoom` and `storeMessage` only write. `join` and `send` are for a chat on several servers: a member leaves with its process,
 * however that ends, and messages are numbered, so that a missing one is noticed.
 *
 * Rooms and users may come from clients. A string that cannot be an id (empty, over 64 KiB, with a NUL or a lone surrogate) has nothing
 * to read or remove, and `watch` and `listen` report nothing for it until they are closed. Methods that write reject with
 * `E_INVALID_ARGUMENT`.
 *
 * Without a server every method rejects. On a service with `onUnavailable: 'empty'`, `getRoomUsers` returns `{}`,
 * `getRecentMessages` `[]` and `removeUserFromRoom` 0.
 *
 * Removing the members of dead processes relies on leases in the store, so the server must not evict keys: `maxmemory-policy
 * noeviction`.
 */
export interface RealtimeDataManager {
  /**
   * Returns the same rooms with their calls bound to a deadline, a signal or both. If bound again, the shorter time and every signal
   * apply.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option.
   */
  with(limits: CallLimits): RealtimeDataManager
  /** Adds a user to a room, or replaces the user's fields. Adds `joinedAt` to them. */
  addUserToRoom<T extends object>(roomId: string, userId: string, info?: T & Fields<T>): Promise<void>
  /** Removes a user from a room; returns the number of users removed, 0 or 1. */
  removeUserFromRoom(roomId: string, userId: string): Promise<number>
  /**
   * Returns the users of a room by id, as an object without a prototype, which is empty if the room is. A value that is not valid JSON
   * is returned as `{ error: 'Invalid data' }`.
   */
  getRoomUsers<T extends object = Record<string, unknown>>(
    roomId: string,
  ): Promise<Record<string, RoomUser<T> | InvalidRoomUser>>
  /**
   * Stores a message with a `timestamp`. The room keeps its last 100 messages, for 24 hours. A `seq` field that could be mistaken for
   * the number of a sent message is removed.
   */
  storeMessage<T extends object>(roomId: string, message: T & Fields<T>): Promise<void>
  /** Returns the latest messages, newest first. Default `count`: 10. Messages of `send` have a `seq`. */
  getRecentMessages<T extends object = Record<string, unknown>>(
    roomId: string,
    count?: number,
  ): Promise<RoomMessage<T>[]>
  /**
   * Adds a connection of a user to a room until it leaves: by `leave()`, by `disconnect()`, or, if this process dies, when its lease
   * has expired (`leaseMs`, and a third of it). The user is in the room from the first connection, of any process, to the last, with the
   * `info` of the first, which may be at most 64 KiB as JSON. `removeUserFromRoom` removes a user with all connections.
   *
   * @example
   * socket.on('connection', async (socket) => {
   *   const membership = await rooms.join('lobby', 'ada', { colour: 'red' })
   *   socket.on('close', () => membership.leave())
   * })
   * @throws {CinnabarError} Also `E_TIMEOUT`, if there was no reply in time: if the membership is registered later, it is removed again.
   */
  join<T extends object>(roomId: string, userId: string, info?: T & Fields<T>): Promise<Membership>
  /**
   * Calls `handler` for each user that joins, leaves or changes after this call has resolved; `users` has those who are in the room
   * then. Changes that other programs make to the hash themselves are noticed when it is next polled, about every half minute.
   */
  watch<T extends object = Record<string, unknown>>(
    roomId: string,
    handler: (change: RoomChange<T>) => unknown,
    options?: WatchOptions,
  ): Promise<RoomWatch<T>>
  /** Returns the changes as an async iterable. */
  watch<T extends object = Record<string, unknown>>(roomId: string, options?: CallLimits): Promise<RoomWatchStream<T>>
  /**
   * Stores a message as `storeMessage` does, numbers it, and sends it to all listeners; returns its number, `seq`. At most 1 MiB as
   * JSON. The first number of a room is the time in microseconds, each further one is one greater. After `E_MAYBE_APPLIED` the message
   * may or may not have been sent.
   */
  send<T extends object>(roomId: string, message: T & Fields<T>): Promise<number>
  /**
   * Calls `handler` for each message sent after `since`, and then for each that is sent: in the order of their numbers, each once, also
   * across lost connections. Missing messages are reported where they are missing. A slow handler delays no sender and needs little
   * memory, since messages are read from the store. Messages of `storeMessage`, which have no number, are not delivered.
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
  /** Returns the messages as an async iterable. */
  listen<T extends object = Record<string, unknown>>(
    roomId: string,
    options?: ListenStreamOptions,
  ): Promise<RoomMessageStream<T>>
}

/** Creates a `RealtimeDataManager`; has each of its methods too, on the default service. */
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
