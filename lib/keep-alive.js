'use strict'

const { getBridge } = require('./bridge.js')

// What callers wait for in their own process, such as a load or the end of a lock, keeps the process alive as their calls do. Once
// their service is disconnected it does so no longer.

const holds = new Map()

/** Keeps the process alive until the function that it returns is called, or `release(owner)`, the native service. */
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

/** Returns a function that ends what keeps the process alive for a service now, and leaves alone what will do so later. */
function heldBy(owner) {
  const all = holds.get(owner)
  holds.delete(owner)
  return () => {
    for (const end of [...(all ?? [])]) end()
  }
}

/** Ends what keeps the process alive for a service, or for all of them. */
function release(owner) {
  if (owner === undefined) for (const each of [...holds.keys()]) release(each)
  for (const end of [...(holds.get(owner) ?? [])]) end()
}

module.exports = { heldBy, keepAlive, release }
