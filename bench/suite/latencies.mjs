/** Latencies of one run in fixed memory: 1 µs steps up to 65 ms, 1 ms steps up to a minute. */
const FINE = 65_536
const COARSE = 60_000

export class Latencies {
  #fine = new Uint32Array(FINE)
  #coarse = new Uint32Array(COARSE)
  count = 0

  record(milliseconds) {
    this.count += 1
    const micros = (milliseconds * 1000) | 0
    if (micros < FINE) this.#fine[micros] += 1
    else this.#coarse[Math.min(milliseconds | 0, COARSE - 1)] += 1
  }

  /** In µs; null when nothing was recorded. */
  percentile(share) {
    if (this.count === 0) return null
    let left = Math.max(1, Math.ceil(this.count * share))
    for (let micros = 0; micros < FINE; micros += 1) {
      left -= this.#fine[micros]
      if (left <= 0) return micros + 0.5
    }
    for (let millis = 0; millis < COARSE; millis += 1) {
      left -= this.#coarse[millis]
      if (left <= 0) return (millis + 0.5) * 1000
    }
    return null
  }
}
