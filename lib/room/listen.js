'use strict'

const { Delivery } = require('../pubsub/delivery.js')
const { Stream } = require('../pubsub/stream.js')
const { MessageStream, Subscription } = require('../pubsub/subscription.js')

/** Listens to a room. With a handler, it is called for each message; without one, the listener is an async iterable. */
async function listenTo(native, roomId, handler, { streams, since, onGap, onError }) {
  const reader = streams ? new Stream(roomId, onGap, toMessage) : new Delivery(roomId, handler, { onGap, onError })
  const number = await native.listen(roomId, since, (ready) => reader.wake(ready))
  return new (streams ? MessageStream : Subscription)(native, number, reader)
}

const toMessage = (message, seq, missed) => ({ seq, message, missed })

module.exports = { listenTo }
