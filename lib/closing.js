'use strict'

// What is about to be drained: services, and the bridges of which all services are. Shared with other copies of this package, which hot
// reload creates.
const closing = (globalThis[Symbol.for('cinnabar.closing')] ??= new WeakSet())

/** Notes that a service, or everything of a bridge, is about to be drained. */
function announceClosing(what) {
  closing.add(what)
}

/** Whether a service is about to be drained. */
function isClosing(service, bridge) {
  return closing.has(service) || closing.has(bridge)
}

module.exports = { announceClosing, isClosing }
