'use strict'

const { Delivery } = require('../pubsub/delivery.js')
const { logOnce, safeCallback } = require('../pubsub/safe-callback.js')
const { Stream } = require('../pubsub/stream.js')
const { Subscription } = require('../pubsub/subscription.js')

/**
 * Watches the members of a room. With a handler, it is called for each change; without one, the watch is an async iterable of
 * changes. Resolves once the current members are known.
 */
async function watchRoom(native, roomId, handler, { streams, onError }) {
  const users = new Users()
  return streams ? watchStream(native, roomId, users) : watchWith(native, roomId, users, handler, onError)
}

async function watchWith(native, roomId, users, handler, onError) {
  const notify = safeCallback(handler, logOnce(roomId))
  const apply = (value, kind) => users.apply(value, kind).forEach((change) => notify(change))
  const delivery = new Delivery(roomId, apply, { onError })
  const number = await native.watch(roomId, (ready) => delivery.wake(ready))
  return new Watch(native, number, delivery, roomId, users)
}

async function watchStream(native, roomId, users) {
  const stream = new Stream(roomId, undefined, (value, kind) => users.apply(value, kind))
  const number = await native.watch(roomId, (ready) => stream.wake(ready))
  await stream.next()
  return new WatchStream(native, number, stream, roomId, users)
}

/** The members of a room, as of the last notice. */
class Users {
  all = new Map()
  #known = false

  /** Applies a notice and returns the changes that it makes, if any. */
  apply(value, kind) {
    if (kind === 'users') return this.#replace(Object.entries(value))
    const [userId, user] = value
    return kind === 'leave' ? this.#remove(userId) : this.#put(userId, user)
  }

  #replace(entries) {
    const now = new Map(entries)
    if (!this.#known) {
      this.#known = true
      for (const [userId, user] of now) this.all.set(userId, user)
      return []
    }
    const removed = [...this.all.keys()].filter((userId) => !now.has(userId))
    return [...removed.flatMap((userId) => this.#remove(userId)), ...entries.flatMap((entry) => this.#put(...entry))]
  }

  #put(userId, user) {
    const known = this.all.get(userId)
    if (known !== undefined && JSON.stringify(known) === JSON.stringify(user)) return []
    this.all.set(userId, user)
    return [{ type: known === undefined ? 'join' : 'update', userId, user }]
  }

  #remove(userId) {
    const user = this.all.get(userId)
    return this.all.delete(userId) ? [{ type: 'leave', userId, user }] : []
  }
}

/** An active watch. */
class Watch extends Subscription {
  #users

  constructor(native, number, reader, roomId, users) {
    super(native, number, reader)
    this.#users = users
    this.roomId = roomId
  }

  get users() {
    return this.#users.all
  }
}

/** A watch without a handler. Concurrent iterators share the changes between them. */
class WatchStream extends Watch {
  #stream
  #changes = []

  constructor(native, number, stream, roomId, users) {
    super(native, number, stream, roomId, users)
    this.#stream = stream
  }

  [Symbol.asyncIterator]() {
    return {
      next: () => this.#next(),
      return: async (value) => {
        await this.close()
        return { done: true, value }
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  async #next() {
    while (this.#changes.length === 0) {
      const { done, value } = await this.#stream.next()
      if (done) return { done, value: undefined }
      this.#changes.push(...value)
    }
    return { done: false, value: this.#changes.shift() }
  }
}

module.exports = { watchRoom }
