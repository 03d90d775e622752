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
  const missed = guarded(AsyncResource.bind(options?.onGap ?? warnOnce(channel)), channel)
  const heard = guarded(AsyncResource.bind(handler), channel)
  // A gap comes with the number of what is missing, if anybody knows it.
  const deliver = (...args) => (args.length < 2 ? missed({ missed: args[0] ?? 'unknown' }) : heard(...args))
  return new Subscription(native, await native.subscribe(channel, options?.pattern === true, deliver))
}

// What was missed must not go unseen where nobody asked to be told.
function warnOnce(channel) {
  let warned = false
  return ({ missed }) => {
    if (warned) return
    warned = true
    const many = missed === 'unknown' ? 'messages may have been' : `${missed} messages were`
    console.warn(`cinnabar: ${many} missed on ${JSON.stringify(channel)}; the option onGap tells you of each such gap`)
  }
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
