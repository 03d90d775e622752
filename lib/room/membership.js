'use strict'

/** The membership of one user connection in a room. */
class Membership {
  #native
  #number
  #leaving

  constructor(native, number, roomId, userId) {
    this.#native = native
    this.#number = number
    this.roomId = roomId
    this.userId = userId
  }

  leave() {
    return (this.#leaving ??= this.#native.leave(this.#number))
  }

  [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    return this.leave()
  }
}

module.exports = { Membership }
