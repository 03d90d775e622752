'use strict'

const { randomUUID } = require('node:crypto')

const { argumentError } = require('../error.js')
const { assertFunction, describe } = require('../options.js')
const { Delivery } = require('../pubsub/delivery.js')
const { logOnce, safeCallback } = require('../pubsub/safe-callback.js')
const { closerOf, whenClosed } = require('./close-socket.js')

const BIND_OPTIONS = ['id', 'state', 'onEnd']

/** Binds a socket to the session with this id or token, and closes it when that ends. Returns the connection, or `null` without a session. */
async function bindSocket(native, token, socket, { id = randomUUID(), state = {}, onEnd = () => {} }) {
  const close = closerOf(socket)
  if (close === undefined) {
    throw argumentError(
      `socket must be a WebSocket, a response or another stream, an AbortController or a function, got ${describe(socket)}`,
    )
  }
  assertFunction(onEnd, 'options.onEnd')
  const log = logOnce('the end of a session')
  const [notify, closeSafely] = [safeCallback(onEnd, log), safeCallback(close, log)]
  let connection
  const finish = (reason) => {
    if (connection && !connection.finish()) return
    notify(reason)
    closeSafely(reason)
  }
  const bound = token === null ? null : await native.bound(token)
  if (bound === null) {
    finish('expired')
    return null
  }
  connection = new Connection(native, { id, ...bound }, state)
  const delivery = new Delivery(`session ${bound.publicId}`, finish, { onError: () => finish('unreachable') })
  const wake = (ready) => {
    // Closed with its service, without which the end of the session would not be noticed.
    if (ready === undefined) finish('unreachable')
    delivery.wake(ready)
  }
  await connection.open(await native.bind(token, id, state, wake))
  if (whenClosed(socket, () => connection.unbind())) await connection.unbind()
  return connection
}

/** A connection that is bound to a session. */
class Connection {
  #native
  #number
  #isBound = true
  #state
  #unbinding

  constructor(native, { id, userId, publicId }, state) {
    this.#native = native
    this.#state = state
    this.id = id
    this.userId = userId
    this.publicId = publicId
  }

  get state() {
    return this.#state
  }

  get isBound() {
    return this.#isBound
  }

  open(number) {
    this.#number = number
  }

  /** Records the end; returns false if it is known already. */
  finish() {
    const wasBound = this.#isBound
    this.#isBound = false
    return wasBound
  }

  async update(changes) {
    if (!this.#isBound) return false
    const state = { ...this.#state, ...changes }
    const updated = await this.#native.updateConnection(this.id, state)
    if (updated) this.#state = state
    return updated
  }

  unbind() {
    this.#isBound = false
    return (this.#unbinding ??= this.#native.unbind(this.#number))
  }

  [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    return this.unbind()
  }
}

module.exports = { BIND_OPTIONS, bindSocket }
