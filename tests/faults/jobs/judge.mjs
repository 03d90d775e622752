// What a log of starts and ends says of a queue.

/** How often each job began and ended: `{ begun, ended, twice }`, where `twice` counts the ends that were one too many. */
export function tally(entries) {
  const begun = new Map()
  const ended = new Map()
  for (const { what, id } of entries) {
    const counts = what === 'start' ? begun : ended
    counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  const twice = [...ended.values()].reduce((sum, count) => sum + count - 1, 0)
  return { begun, ended, twice }
}

/** How long after a worker was killed the jobs that it had begun began elsewhere, in ms: the longest, and how many there were. */
export function recovery(entries, kills) {
  let longestMs = 0
  let count = 0
  for (const kill of kills) {
    const open = new Set()
    for (const { what, pid, id } of entries) {
      if (pid !== kill.pid) continue
      if (what === 'start') open.add(id)
      else open.delete(id)
    }
    for (const id of open) {
      const again = entries.find((entry) => entry.id === id && entry.what === 'start' && entry.at > kill.at)
      // What was handed in with the last breath needs no second time.
      if (!again) continue
      count++
      longestMs = Math.max(longestMs, (again.at - kill.at) / 1000)
    }
  }
  return { longestMs, count }
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
