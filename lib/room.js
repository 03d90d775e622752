'use strict'

const { binding } = require('./bridge.js')
const { undoIfAborted } = require('./call-limits.js')
const { featureOn } = require('./feature.js')
const { evaluation, register } = require('./hot-reload.js')
const { Limitable, limitsOf, partsOf } = require('./limitable.js')
const names = require('./option-names.js')
const { ownOptions } = require('./options.js')
const { claimPrefix, defaultPrefixes } = require('./prefixes.js')
const { listenTo } = require('./room/listen.js')
const { Membership } = require('./room/membership.js')
const { optionNames, readArguments } = require('./pubsub/arguments.js')
const { watchRoom } = require('./room/watch.js')

const OPTIONS = Object.keys(names.rooms)
const WATCH_OPTIONS = optionNames()
const LISTEN_OPTIONS = optionNames('since', 'onGap')

/** Rooms: their members, their recent messages and new messages. */
class RealtimeDataManager extends Limitable {
  constructor(service, options) {
    super(service, () => {
      const own = ownOptions(options, OPTIONS)
      const { prefix = defaultPrefixes.rooms } = own
      const make = (native) => {
        const rooms = new binding.Rooms(native, own)
        claimPrefix(native, 'rooms', prefix)
        return { native: rooms }
      }
      return featureOn(service, make)
    })
  }

  get #native() {
    return partsOf(this).native
  }

  addUserToRoom(roomId, userId, info = {}) {
    return this.#native.addUser(roomId, userId, info)
  }

  removeUserFromRoom(roomId, userId) {
    return this.#native.removeUser(roomId, userId)
  }

  getRoomUsers(roomId) {
    return this.#native.users(roomId)
  }

  storeMessage(roomId, message) {
    return this.#native.storeMessage(roomId, message)
  }

  getRecentMessages(roomId, count = 10) {
    return this.#native.recentMessages(roomId, count)
  }

  async join(roomId, userId, info = {}) {
    const join = async () => new Membership(this.#native, await this.#native.join(roomId, userId, info), roomId, userId)
    return undoIfAborted(limitsOf(this), join, (membership) => membership.leave())
  }

  async watch(roomId, handler, options) {
    const [rooms, read] = readArguments(this, handler, options, WATCH_OPTIONS)
    return rooms.#open('watch', roomId, () => watchRoom(rooms.#native, roomId, handler, read))
  }

  send(roomId, message) {
    return this.#native.send(roomId, message)
  }

  async listen(roomId, handler, options) {
    const [rooms, read] = readArguments(this, handler, options, LISTEN_OPTIONS)
    return rooms.#open('listen', roomId, () => listenTo(rooms.#native, roomId, handler, read))
  }

  // Opens a subscription, which hot reload closes when its module is evaluated again.
  async #open(kind, roomId, open) {
    const found = evaluation()
    const subscription = await undoIfAborted(limitsOf(this), open, (subscription) => subscription.close())
    register(found, `${kind} ${roomId}`, () => subscription.close().catch(() => {}))
    return subscription
  }
}

module.exports = { RealtimeDataManager }
