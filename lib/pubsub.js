'use strict'

const { AsyncResource } = require('node:async_hooks')

const { assertFunction, assertOptions } = require('./options.js')

/** An open subscription. */
class Subscription {
  #native
  #number

  constructor(native, number) {
    this.#native = native
    this.#number = number
  }

  async close() {
    await this.#native.unsubscribe(this.#number)
  }

  [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    return this.close()
  }
}

/** Calls `handler(value, channel)` for every message, in the asynchronous context of the caller. */
async function subscribeTo(native, channel, handler, options) {
  assertFunction(handler, 'handler')
  assertOptions(options, ['pattern', 'onGap'])
  if (options?.onGap !== undefined) assertFunction(options.onGap, 'options.onGap')
  const missed = guarded(AsyncResource.bind(options?.onGap ?? (() => {})), channel)
  const heard = guarded(AsyncResource.bind(handler), channel)
  // A gap comes without a message.
  const deliver = (...message) => (message.length === 0 ? missed({ missed: 'unknown' }) : heard(...message))
  return new Subscription(native, await native.subscribe(channel, options?.pattern === true, deliver))
}

// One bad message must neither end the process nor the subscription, and a flood of them must not flood the log.
function guarded(handler, channel) {
  let complained = false
  const complain = (error) => {
    if (complained) return
    complained = true
    console.error(`A handler subscribed to ${JSON.stringify(channel)} failed (further failures are not shown):`, error)
  }
  return (value, from) => {
    try {
      const result = handler(value, from)
      if (typeof result?.then === 'function') result.then(undefined, complain)
    } catch (error) {
      complain(error)
    }
  }
}

module.exports = { subscribeTo }
