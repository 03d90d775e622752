// Slots that move between primaries while callers use their keys.

/**
 * Moves these slots from primary to primary, one after the other and some keys at a time, until the signal ends it; then each
 * is wholly at one node. Returns `{ slots, keys }`: how many moves there were. With `primaries`, of which the first has all
 * these slots, it asks no node for the map.
 */
export async function moveSlots(cluster, slots, { signal, pause = 0, keys = 1, primaries }) {
  const owners = new Map()
  for (const slot of slots) owners.set(slot, primaries?.[0] ?? (await cluster.nodeOf(slot)))
  primaries ??= await cluster.primaries()
  const total = { slots: 0, keys: 0 }
  while (!signal.aborted) {
    for (const slot of slots) {
      if (signal.aborted) break
      const from = owners.get(slot)
      const to = primaries[(primaries.indexOf(from) + 1) % primaries.length]
      total.keys += await cluster.migrate(slot, from, to, { keys, pause })
      owners.set(slot, to)
      total.slots++
    }
  }
  return total
}

/** How often the nodes replied with an error of this name, such as `ASK`, since they were started or the count was reset. */
export async function countErrors(cluster, name) {
  return countOf(await cluster.everywhere('INFO', 'errorstats'), new RegExp(`^errorstat_${name}:count=(\\d+)`, 'm'))
}

/** How often the nodes were asked for the map of slots. */
export async function countMaps(cluster) {
  const texts = await cluster.everywhere('INFO', 'commandstats')
  const of = (name) => countOf(texts, new RegExp(`^cmdstat_cluster\\|${name}:calls=(\\d+)`, 'm'))
  return of('slots') + of('shards') + of('nodes')
}

const countOf = (texts, pattern) => texts.reduce((sum, text) => sum + Number(pattern.exec(text)?.[1] ?? 0), 0)
