'use strict'

const { binding } = require('./bridge.js')
const { handleOf, limitsOf } = require('./handle.js')
const { Parts, bind, limitsWithin } = require('./limits.js')
const { assertOptions } = require('./options.js')

/** Rooms: who is in them, and the last hundred messages. */
class RealtimeDataManager {
  #native
  #limits

  constructor(service, options) {
    if (service instanceof Parts) {
      this.#native = service.native
      this.#limits = service.limits
      return
    }
    assertOptions(options, ['prefix'])
    this.#native = new binding.Rooms(handleOf(service), options)
    this.#limits = limitsOf(service)
  }

  with(options) {
    const limits = limitsWithin(this.#limits, options)
    return bind(RealtimeDataManager, this, { native: this.#native.within(limits), limits })
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
}

module.exports = { RealtimeDataManager }
