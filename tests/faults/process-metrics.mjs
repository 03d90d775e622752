// What a scenario costs the process it runs in: how late its event loop is, and how much memory it holds.

import { closeSync, openSync, readSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const TICK = 5

/**
 * Watches until `stop()`. The loop's lateness is counted without the time in which this thread was ready and another
 * program had the processor, where the kernel says how long that was: that is the machine's doing.
 */
export function measureProcess() {
  const waited = waiting('/proc/self/schedstat')
  let addon
  let addonBefore = 0
  const raw = []
  const own = []
  const long = []
  const addonWaited = () => addon?.read() ?? 0
  let peak = resident()
  let ticks = 0
  let before = performance.now()
  let waitedBefore = waited.read()
  const timer = setInterval(() => {
    const at = performance.now()
    const others = waited.read()
    const late = Math.max(0, at - before - TICK)
    raw.push(late)
    own.push(Math.max(0, late - (others - waitedBefore)))
    if (late > TICK) long.push({ from: before, to: at, late })
    const addonNow = addonWaited()
    if (addonNow - addonBefore > TICK) long.push({ from: before, to: at, late: addonNow - addonBefore })
    before = at
    waitedBefore = others
    addonBefore = addonNow
    if (++ticks % 20 !== 0) return
    peak = Math.max(peak, resident())
    if (addon) return
    // It starts with the first call. What it waited before counts for no tick.
    addon = threadOfAddon()
    addonBefore = addonWaited()
  }, TICK)

  return {
    /**
     * How long this thread could run nothing between two moments, and the addon's thread was ready while other programs had the
     * processor, in ms.
     */
    lateBetween(from, to) {
      // A settlement may be seen before the tick that would say how late it all is.
      const current = performance.now() - before - TICK
      const now = (current > TICK && to > before ? current : 0) + (to > before ? addonWaited() - addonBefore : 0)
      return long.reduce((sum, one) => (one.to > from && one.from < to ? sum + one.late : sum), now)
    },
    /** Forgets what was so far, such as a start that is no part of what is measured. */
    restart() {
      raw.length = own.length = long.length = 0
      peak = resident()
    },
    get peak() {
      return peak
    },
    stop() {
      clearInterval(timer)
      waited.close()
      addon?.close()
      return { p99: percentile99(own), max: Math.max(0, ...own), p99WithOthers: percentile99(raw), peak }
    },
  }
}

/** Resident memory in bytes; 0 where no file can be opened to ask for it. */
function resident() {
  try {
    return process.memoryUsage.rss()
  } catch {
    return 0
  }
}

/** How long a thread was ready but not running, in ms, as far as the kernel reports it. */
function waiting(path) {
  let file
  try {
    file = openSync(path, 'r')
  } catch {
    return { read: () => 0, close: () => {} }
  }
  const bytes = Buffer.alloc(64)
  return {
    read: () => Number(bytes.latin1Slice(0, readSync(file, bytes, 0, 64, 0)).split(' ')[1]) / 1e6,
    close: () => closeSync(file),
  }
}

/** The same of the thread that carries the addon's calls, once it has started. */
function threadOfAddon() {
  try {
    const tasks = readdirSync('/proc/self/task').map((task) => `/proc/self/task/${task}`)
    const own = tasks.find((task) => readFileSync(`${task}/comm`, 'latin1').trim() === 'cinnabar')
    return own && waiting(`${own}/schedstat`)
  } catch {
    return undefined
  }
}

/** At least two seconds of ticks: in less, the 99th percentile is no more than the worst one. */
const FEWEST = 2000 / TICK

/** The value that only one in a hundred is above. */
function percentile99(values) {
  const sorted = [...values].sort((a, b) => b - a)
  return sorted[Math.floor(Math.max(sorted.length, FEWEST) / 100)] ?? 0
}

/** Resident memory once everything that can go has gone; looked at for up to `withinMs` while it is not `below` so much. */
export async function settledMemory({ below = Infinity, withinMs = 0 } = {}) {
  const until = performance.now() + withinMs
  let least = Infinity
  for (let round = 0; round < 5 || (least >= below && performance.now() < until); round++) {
    globalThis.gc?.()
    await sleep(20)
    least = Math.min(least, resident() || Infinity)
  }
  return least
}
