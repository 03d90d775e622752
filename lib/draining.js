'use strict'

const { heldBy, release } = require('./keep-alive.js')
const { originOf } = require('./native-service.js')
const { reclaimPrefixes, releasePrefixes } = require('./prefixes.js')

// By native service: its last `disconnect()`, unless it has been connected again since. `connect()` may come while it still drains.
const leaving = new WeakMap()

/**
 * Notes that a service is being disconnected. Returns a function that lets go of what is the service's once that is done; of what
 * has become its own by a `connect()` meanwhile, it lets go of nothing.
 */
function leave(native) {
  const endHeld = heldBy(native)
  const mine = {}
  leaving.set(native, mine)
  return () => {
    endHeld()
    if (leaving.get(native) !== mine) return
    release(native)
    releasePrefixes(native)
  }
}

/** Notes that a service is being connected. Throws if another service has taken one of its prefixes. */
function comeBack(native) {
  reclaimPrefixes(native)
  leaving.delete(originOf(native))
}

module.exports = { comeBack, leave }
