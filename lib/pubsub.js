'use strict'

const { assertFunction } = require('./options.js')
const { Delivery } = require('./pubsub/delivery.js')
const { PUBLISH_OPTIONS, readSubscribeOptions } = require('./pubsub/options.js')
const { Stream } = require('./pubsub/stream.js')
const { MessageStream, Subscription } = require('./pubsub/subscription.js')

/**
 * Subscribes through a native service. With a handler, it is called for each message. Without one, the subscription is an async
 * iterable, and the options may take the handler's place.
 */
async function subscribeTo(native, channel, handler, options) {
  const streams = options === undefined && (handler === undefined || isPlain(handler))
  if (!streams) assertFunction(handler, 'handler')
  const read = readSubscribeOptions(streams ? handler : options, streams)
  const reader = streams ? new Stream(channel, read.onGap) : new Delivery(channel, handler, read)
  const number = await native.subscribe(channel, read.native, (ready) => reader.wake(ready))
  const Class = streams ? MessageStream : Subscription
  return new Class(native, number, reader)
}

const isPlain = (value) => typeof value === 'object' && value !== null

module.exports = { PUBLISH_OPTIONS, subscribeTo }
