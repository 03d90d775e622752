'use strict'

const { binding } = require('./bridge.js')
const { Parts, assertGoing, bind, limitsWithin, unlessAborted } = require('./call-options.js')
const { evaluation, register } = require('./hot-reload.js')
const { derivedOf, limitsOf, madeOf } = require('./native-service.js')
const { ownOptions } = require('./options.js')
const { claimPrefix } = require('./prefixes.js')
const { listenTo } = require('./room/listen.js')
const { Membership } = require('./room/membership.js')
const { watchRoom } = require('./room/watch.js')

/** Rooms: their members, their recent messages and new messages. */
class RealtimeDataManager {
  #made
  #limits

  constructor(service, options) {
    const parts = Parts.of(service, new.target)
    if (parts) {
      this.#made = parts.made
      this.#limits = parts.limits
      return
    }
    const own = ownOptions(options, ['prefix', 'leaseMs'])
    const { prefix = 'room:' } = own
    this.#made = madeOf(service, (handle) => {
      const native = new binding.Rooms(handle, own)
      claimPrefix(handle, 'rooms', prefix)
      return { native }
    })
    this.#limits = limitsOf(service)
  }

  get #native() {
    return this.#made().native
  }

  with(options) {
    const limits = limitsWithin(this.#limits, options)
    const made = derivedOf(this.#made, ({ native }) => ({ native: native.within(limits) }))
    return bind(RealtimeDataManager, this, { made, limits })
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
    const joining = async () =>
      new Membership(this.#native, await this.#native.join(roomId, userId, info), roomId, userId)
    return this.#unlessAborted(joining, (membership) => membership.leave())
  }

  async watch(roomId, handler, options) {
    const found = evaluation()
    const watching = () => watchRoom(this.#native, roomId, handler, options)
    const watch = await this.#unlessAborted(watching, (watch) => watch.close())
    register(found, `watch ${roomId}`, () => watch.close().catch(() => {}))
    return watch
  }

  send(roomId, message) {
    return this.#native.send(roomId, message)
  }

  async listen(roomId, handler, options) {
    const found = evaluation()
    const listening = () => listenTo(this.#native, roomId, handler, options)
    const listener = await this.#unlessAborted(listening, (listener) => listener.close())
    register(found, `listen ${roomId}`, () => listener.close().catch(() => {}))
    return listener
  }

  // If a signal aborts the call, its effect is undone once it completes.
  async #unlessAborted(begin, undo) {
    assertGoing(this.#limits)
    const beginning = begin()
    try {
      return await unlessAborted(this.#limits, beginning)
    } catch (error) {
      beginning.then(undo, () => {})
      throw error
    }
  }
}

module.exports = { RealtimeDataManager }
