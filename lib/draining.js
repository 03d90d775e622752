'use strict'

const { holdsOf, releaseHolds } = require('./keep-alive.js')
const { unlimited } = require('./native-service.js')
const { reclaimPrefixes, releasePrefixes } = require('./prefixes.js')

// By native service: what has to be done while its calls still reach the store.
const endings = new WeakMap()
// By native service: its last `disconnect()`, unless it has been connected again since. `connect()` may be called while it drains.
const disconnects = new WeakMap()

/**
 * Notes that a service is being disconnected. Returns a function to call once that is done: it releases what the service owned
 * before. What the service acquired after a `connect()` in the meantime is not released.
 */
function beginDisconnect(native) {
  const endHolds = holdsOf(native)
  for (const end of [...(endings.get(native) ?? [])]) end()
  const mine = {}
  disconnects.set(native, mine)
  return () => {
    endHolds()
    if (disconnects.get(native) !== mine) return
    releaseHolds(native)
    releasePrefixes(native)
  }
}

/** Calls `end()` whenever a service begins to disconnect. Returns a function that ends that. */
function beforeDisconnect(native, end) {
  if (!endings.has(native)) endings.set(native, new Set())
  endings.get(native).add(end)
  return () => endings.get(native).delete(end)
}

/** Notes that a service is being connected. Throws if another service has taken one of its prefixes. */
function beginConnect(native) {
  reclaimPrefixes(native)
  disconnects.delete(unlimited(native))
}

module.exports = { beforeDisconnect, beginConnect, beginDisconnect }
