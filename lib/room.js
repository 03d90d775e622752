'use strict'

const { binding } = require('./bridge.js')
const { handleOf } = require('./handle.js')
const { assertOptions } = require('./options.js')

/** Rooms: who is in them, and the last hundred messages. */
class RealtimeDataManager {
  #native

  constructor(service, options) {
    assertOptions(options, ['prefix'])
    this.#native = new binding.Rooms(handleOf(service), options)
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
