// How late this process runs what is due, because others have the processors.

const TICK_MS = 10

/** Measures from now on; `stop()` returns by how much timers were late in all, in ms. */
export function measureLateness() {
  let [before, late] = [performance.now(), 0]
  const tick = () => {
    const now = performance.now()
    late += Math.max(0, now - before - 2 * TICK_MS)
    before = now
  }
  const timer = setInterval(tick, TICK_MS)
  return {
    stop() {
      tick()
      clearInterval(timer)
      return late
    },
  }
}
