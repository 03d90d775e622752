'use strict'

const { unlimited } = require('./native-service.js')

// When it was announced that a service, or everything of a bridge, is about to be drained, and when a service was connected again: numbers
// that grow. Shared with other copies of this package, which hot reload creates.
const times = (globalThis[Symbol.for('cinnabar.closing')] ??= {
  last: 0,
  announced: new WeakMap(),
  connected: new WeakMap(),
})

/** Notes that a native service, or everything of a bridge, is about to be drained. */
function announceClosing(what) {
  times.announced.set(what, ++times.last)
}

/** Notes that a service is being connected. One that is connected already is not connected again. */
function endClosing(native) {
  if (!native.isConnected) times.connected.set(unlimited(native), ++times.last)
}

/** Whether a native service is about to be drained, or was, and has not been connected again. */
function isClosing(native, bridge) {
  const key = unlimited(native)
  const announced = Math.max(times.announced.get(key) ?? 0, times.announced.get(bridge) ?? 0)
  return announced > (times.connected.get(key) ?? 0)
}

module.exports = { announceClosing, endClosing, isClosing }
