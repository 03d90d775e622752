// Slots that wander between primaries while callers use their keys.

/**
 * Moves these slots from node to node, one after the other and key by key, until the signal ends it; then each is wholly at
 * one node. Answers `{ slots, keys }`: how many moves there were.
 */
export async function wander(cluster, slots, { signal, pause = 0, keys = 1 }) {
  const primaries = await cluster.primaries()
  const total = { slots: 0, keys: 0 }
  while (!signal.aborted) {
    for (const slot of slots) {
      if (signal.aborted) break
      const from = await cluster.nodeOf(slot)
      const to = primaries[(primaries.indexOf(from) + 1) % primaries.length]
      total.keys += await cluster.migrate(slot, from, to, { keys, pause })
      total.slots++
    }
  }
  return total
}
