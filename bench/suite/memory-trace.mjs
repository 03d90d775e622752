/** RSS over the length of a soak, and whether it stayed flat once everything was warm. */
import { count } from './format.mjs'
import { median } from './summary.mjs'

const SAMPLES = 100
/** A fifth, but at least so many calls (heap, allocator and tables have their size by then), and at most half. */
const WARM_UP_SHARE = 0.2
const WARM_UP_CALLS = 250_000
const LIMIT_MEGABYTES = 10
/** Neighbouring samples of which the median counts, so that one unlucky moment of the allocator does not. */
const WINDOW = 5

export class MemoryTrace {
  #samples = []

  constructor(calls) {
    this.calls = calls
    this.warmUpShare = Math.min(0.5, Math.max(WARM_UP_SHARE, WARM_UP_CALLS / calls))
    this.step = Math.max(1, Math.floor(calls / SAMPLES))
  }

  add(sample) {
    this.#samples.push(sample)
    if (this.#samples.length % WINDOW !== 0) return
    const { calls, rssMegabytes, perSecond } = sample
    const share = String(Math.round((100 * calls) / this.calls)).padStart(3)
    console.log(
      `${share} %  ${count(calls).padStart(6)} calls  ${rssMegabytes.toFixed(1).padStart(6)} MB  ${count(perSecond)}/s`,
    )
  }

  verdict() {
    const warm = this.#samples
      .slice(Math.floor(this.#samples.length * this.warmUpShare))
      .map((sample) => sample.rssMegabytes)
    const smooth = warm.slice(0, Math.max(1, warm.length - WINDOW + 1)).map((_, n) => median(warm.slice(n, n + WINDOW)))
    const start = smooth[0]
    const furthest = smooth
      .map((rss) => rss - start)
      .reduce((far, gap) => (Math.abs(gap) > Math.abs(far) ? gap : far), 0)
    return {
      start,
      end: smooth.at(-1),
      furthest,
      flat: Math.abs(furthest) <= LIMIT_MEGABYTES,
      limitMegabytes: LIMIT_MEGABYTES,
    }
  }
}
