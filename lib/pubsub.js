'use strict'

const { Delivery } = require('./pubsub/delivery.js')
const { PUBLISH_OPTIONS, readSubscribe } = require('./pubsub/options.js')
const { Stream } = require('./pubsub/stream.js')
const { MessageStream, Subscription } = require('./pubsub/subscription.js')

/** Subscribes through a native service, with what `readSubscribe` has read. With a handler, it is called for each message. */
async function subscribeTo(native, channel, handler, read) {
  const reader = read.streams ? new Stream(channel, read.onGap) : new Delivery(channel, handler, read)
  const number = await native.subscribe(channel, read.native, (ready) => reader.wake(ready))
  const Class = read.streams ? MessageStream : Subscription
  return new Class(native, number, reader)
}

module.exports = { PUBLISH_OPTIONS, readSubscribe, subscribeTo }
