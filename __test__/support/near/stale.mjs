// Finds the reads that returned a value older than they may.

/**
 * `reports` are those of all processes. A read that began more than `bound` ms after a later write of its key was acknowledged must not have
 * returned an earlier value. Returns those that did, and the age of the oldest value that was returned in time.
 */
export function staleReads(reports, bound) {
  const acknowledged = Object.assign({}, ...reports.map((each) => each.acknowledged))
  const stale = []
  let oldest = 0
  for (const { seen } of reports) {
    for (const [name, versions] of Object.entries(seen)) {
      const writes = (acknowledged[name] ?? []).toSorted(([one], [other]) => one - other)
      for (const [version, lastSeen] of Object.entries(versions)) {
        const next = firstAfter(writes, Number(version))
        if (next === undefined) continue
        const age = lastSeen - next
        if (age > bound) stale.push({ name, version: Number(version), age })
        else oldest = Math.max(oldest, age)
      }
    }
  }
  return { stale, oldest }
}

/** When a later version was first acknowledged. */
function firstAfter(writes, version) {
  let [low, high] = [0, writes.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (writes[middle][0] > version) high = middle
    else low = middle + 1
  }
  return writes[low]?.[1]
}
