// What a log of starts and ends says of a queue.

/** How often each job began and ended: `{ begun, ended, twice }`, where `twice` counts the ends that were one too many. */
export function countRuns(entries) {
  const begun = new Map()
  const ended = new Map()
  for (const { what, id } of entries) {
    const counts = what === 'start' ? begun : ended
    counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  const twice = [...ended.values()].reduce((sum, count) => sum + count - 1, 0)
  return { begun, ended, twice }
}

/**
 * What became of the jobs that killed workers had begun: `{ count, takenMs, begunMs }`, how long after the kill another worker took
 * them at most, and how long after that they began. `takes` are all takes, by time: `{ at, id }`. Who takes a job may be killed
 * before it begins; then the beginning counts from the take of the worker that began it. Where no take was seen, the beginning
 * counts.
 */
export function recovery(entries, kills, takes, leaseMs) {
  const halfLease = leaseMs * 500
  let [count, takenMs, begunMs] = [0, 0, 0]
  for (const kill of kills) {
    const open = new Set()
    for (const { what, pid, id } of entries) {
      if (pid !== kill.pid) continue
      if (what === 'start') open.add(id)
      else open.delete(id)
    }
    for (const id of open) {
      // No lease is over before half of it is: a take that is seen before is that of the killed one, seen late.
      const again = takes.filter((take) => take.id === id && take.at > kill.at + halfLease)
      const begun = entries.find((entry) => entry.id === id && entry.what === 'start' && entry.at > kill.at)
      const taken = again[0] ?? begun
      // What was handed in with the last breath needs no second time.
      if (!taken) continue
      const last = again.findLast((take) => take.at < begun?.at + halfLease)
      count++
      takenMs = Math.max(takenMs, (taken.at - kill.at) / 1000)
      // A job that begins a lease later was taken again between two reads of the leases, and ended before the second.
      const wasSeen = last && begun.at - last.at < (leaseMs - 100) * 1000
      if (wasSeen) begunMs = Math.max(begunMs, (begun.at - last.at) / 1000)
    }
  }
  return { count, takenMs, begunMs }
}

/** The most jobs that ran at once, of all together or of one group. */
export function mostAtOnce(entries, keyOf = () => 'all') {
  const running = new Map()
  let most = 0
  for (const entry of entries) {
    const key = keyOf(entry)
    const count = (running.get(key) ?? 0) + (entry.what === 'start' ? 1 : -1)
    running.set(key, count)
    most = Math.max(most, count)
  }
  return most
}

/** The most jobs that began within any `ms`, of all together or of one group. */
export function mostWithin(entries, ms, keyOf = () => 'all') {
  const starts = new Map()
  let most = 0
  for (const entry of entries) {
    if (entry.what !== 'start') continue
    const key = keyOf(entry)
    const recent = starts.get(key) ?? []
    starts.set(key, recent)
    recent.push(entry.at)
    while (recent[0] <= entry.at - ms * 1000) recent.shift()
    most = Math.max(most, recent.length)
  }
  return most
}
