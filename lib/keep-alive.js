'use strict'

const { getBridge } = require('./bridge.js')

// A caller that waits for something in its own process, such as a load or the end of a lock, keeps the process alive as a call
// does, until its service is disconnected.

// By native service: the functions that end what keeps the process alive for it.
const holds = new Map()

/** Keeps the process alive until the returned function is called, or `releaseHolds(owner)`; `owner` is the native service. */
function keepAlive(owner) {
  const bridge = getBridge()
  const all = holds.get(owner) ?? new Set()
  holds.set(owner, all)
  const end = () => {
    if (!all.delete(end)) return
    if (all.size === 0 && holds.get(owner) === all) holds.delete(owner)
    bridge.keepAlive(false)
  }
  all.add(end)
  bridge.keepAlive(true)
  return end
}

/** Returns a function that ends what keeps the process alive for a service now. What is added later is not affected. */
function holdsOf(owner) {
  const all = holds.get(owner)
  holds.delete(owner)
  return () => {
    for (const end of [...(all ?? [])]) end()
  }
}

/** Ends what keeps the process alive for a service, or for all of them. */
function releaseHolds(owner) {
  if (owner === undefined) for (const each of [...holds.keys()]) releaseHolds(each)
  for (const end of [...(holds.get(owner) ?? [])]) end()
}

module.exports = { holdsOf, keepAlive, releaseHolds }
