'use strict'

const { argumentError } = require('../error.js')
const { fromJson, jsonOf } = require('../json.js')
const { assertFunction, describe, isArray } = require('../options.js')
const { Delivery } = require('../pubsub/delivery.js')
const { logOnce, safeCallback } = require('../pubsub/safe-callback.js')
const { closerOf, whenClosed } = require('./close-socket.js')

const BIND_OPTIONS = ['id', 'state', 'onEnd']

/** The end of what is bound: closes a socket once, and says why. */
class End {
  #notify
  #close
  #isOver = false

  constructor(socket, onEnd = () => {}) {
    const close = closerOf(socket)
    if (close === undefined) {
      throw argumentError(
        `socket must be a WebSocket, a response or another stream, an AbortController or a function, got ${describe(socket)}`,
      )
    }
    assertFunction(onEnd, 'options.onEnd')
    const log = logOnce('the end of a session')
    this.#notify = safeCallback(onEnd, log)
    this.#close = safeCallback(close, log)
  }

  get isOver() {
    return this.#isOver
  }

  come(reason) {
    if (this.#isOver) return
    this.#isOver = true
    this.#notify(reason)
    this.#close(reason)
  }

  /** The socket is no longer bound, so nothing closes it. */
  cancel() {
    this.#isOver = true
  }
}

/**
 * Binds a socket to a session: `{ token, userId }`, where `userId` is missing if the caller does not know the user. Returns the connection,
 * or `null` without a session. `lasting` is the native side for later calls.
 */
async function bindSocket(native, lasting, { token, userId }, socket, end, { id = crypto.randomUUID(), state = {} }) {
  const bound = token === null ? null : await native.bound(token)
  if (bound === null || (userId !== undefined && userId !== bound.userId)) {
    end.come(bound === null ? 'expired' : 'user-changed')
    return null
  }
  const come = (reason) => end.come(reason)
  const delivery = new Delivery(`session ${bound.publicId}`, come, { onError: () => come('unreachable') })
  const wake = (ready) => {
    // Closed with its service, without which the end of the session would not be noticed.
    if (ready === undefined) come('unreachable')
    delivery.wake(ready)
  }
  const number = await native.bind(token, bound.userId, id, state, wake)
  const connection = new Connection(lasting, number, end, { id, ...bound }, state)
  if (whenClosed(socket, () => connection.unbind())) await connection.unbind()
  return connection
}

/** A connection that is bound to a session. */
class Connection {
  #native
  #number
  #end
  #state
  #unbinding

  constructor(native, number, end, { id, userId, publicId }, state) {
    this.#native = native
    this.#number = number
    this.#end = end
    this.#state = state
    this.id = id
    this.userId = userId
    this.publicId = publicId
  }

  get state() {
    return this.#state
  }

  get isBound() {
    return !this.#end.isOver
  }

  async update(changes) {
    // Converted first, so that what cannot be stored does not become part of the state.
    const own = fromJson(jsonOf(changes, 'changes'))
    if (typeof own !== 'object' || own === null || isArray(own)) {
      throw argumentError(`changes must be an object that JSON can hold, got ${describe(changes)}`)
    }
    if (!this.isBound) return false
    // Before anything is awaited, so that concurrent updates of different fields are all kept.
    this.#state = { ...this.#state, ...own }
    return this.#native.updateConnection(this.id, this.#state)
  }

  unbind() {
    this.#end.cancel()
    return (this.#unbinding ??= this.#native.unbind(this.#number))
  }

  [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    return this.unbind()
  }
}

module.exports = { BIND_OPTIONS, End, bindSocket }
