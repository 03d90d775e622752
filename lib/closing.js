'use strict'

// What is about to be drained: services, and the bridges of which all services are. Shared with other copies of this package, which hot
// reload creates.
const closing = (globalThis[Symbol.for('cinnabar.closing')] ??= new WeakSet())

/** Notes that a service, or everything of a bridge, is about to be drained, until `drain()` has ended: it may be connected again then. */
async function whileClosing(what, drain) {
  closing.add(what)
  try {
    await drain()
  } finally {
    closing.delete(what)
  }
}

/** Whether a service is about to be drained. */
function isClosing(service, bridge) {
  return closing.has(service) || closing.has(bridge)
}

module.exports = { isClosing, whileClosing }
