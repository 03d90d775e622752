'use strict'

const { Delivery } = require('../pubsub/delivery.js')
const { Stream } = require('../pubsub/stream.js')
const { MessageStream, Subscription } = require('../pubsub/subscription.js')

const ABOUT = 'endings of sessions'

/** Watches sessions. With a handler, it is called for each event; without one, the watch is an async iterable of events. */
async function watchSessions(native, handler, { streams, onGap, onError }) {
  const reader = streams
    ? new Stream(ABOUT, onGap, toEvent)
    : new Delivery(ABOUT, (ending) => handler(toEvent(ending)), { onGap, onError })
  const number = await native.listen((ready) => reader.wake(ready))
  return new (streams ? MessageStream : Subscription)(native, number, reader)
}

function toEvent({ reason, goesOn, ...about }) {
  return reason === 'created' || reason === 'rotated' ? { type: reason, ...about } : { type: 'ended', reason, ...about }
}

module.exports = { watchSessions }
