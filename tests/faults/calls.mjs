// Every call of a scenario: whether its result is its own, and when it came, measured against its deadline.

import { CinnabarError } from 'cinnabar'

/** A promise may settle so many ms after its deadline. */
export const GRACE = 50

/** Keeps count of all calls. `late(from, to)` says how long this thread could not run between two moments. */
export class Calls {
  count = 0
  ok = 0
  wrong = 0
  late = 0
  hung = 0
  /** The longest that a call settled after its deadline; below 0 when all came before. */
  slowest = -Infinity
  codes = {}
  /** The first few of what went wrong, in words. */
  faults = []
  pending = new Set()
  #lateBetween

  constructor(lateBetween) {
    this.#lateBetween = lateBetween
  }

  /**
   * Makes a call that must settle within `timeoutMs`, and returns `{ value }` or `{ error }` with `at` (when it was made) and
   * `ms`. `right(value)` says whether a result is right; a text says what is wrong about it.
   */
  async make(name, action, { timeoutMs, right }) {
    const at = performance.now()
    const call = { name, at, deadline: at + timeoutMs }
    this.count++
    this.pending.add(call)
    let outcome
    try {
      const promise = action()
      // It cannot have been handed over before this returned.
      call.deadline = performance.now() + timeoutMs
      outcome = { value: await promise }
    } catch (error) {
      outcome = { error }
    }
    const settled = performance.now()
    this.pending.delete(call)
    this.#settled(call, settled)
    if (outcome.error) this.#failed(name, outcome.error)
    else this.#fulfilled(name, outcome.value, right)
    return { ...outcome, at, ms: settled - at }
  }

  #settled(call, settled) {
    // A thread that is busy elsewhere gets a reply late; that is not the fault of the library.
    const excused = settled > call.deadline ? this.#lateBetween(call.deadline, settled) : 0
    const over = settled - call.deadline - excused
    this.slowest = Math.max(this.slowest, over)
    if (over <= GRACE) return
    this.late++
    this.fault(`${call.name} settled ${Math.round(over)} ms after its deadline`)
  }

  #fulfilled(name, value, right) {
    this.ok++
    const verdict = right ? right(value) : true
    if (verdict === true || verdict === undefined) return
    this.wrong++
    const said = typeof verdict === 'string' ? verdict : `returned ${brief(value)}`
    this.fault(`${name}: ${said}`)
  }

  #failed(name, error) {
    const code = error instanceof CinnabarError ? error.code : `${error?.name}`
    this.codes[code] = (this.codes[code] ?? 0) + 1
    if (!(error instanceof CinnabarError)) this.fault(`${name} failed without a code: ${error?.stack ?? error}`)
    else if (error.code === 'E_INTERNAL') this.fault(`${name} failed with E_INTERNAL: ${error.message}`)
  }

  fault(text) {
    if (this.faults.length < 10) this.faults.push(text)
  }

  /** Waits until every call has settled, but no longer than some time after the last deadline; counts those that have not. */
  async finish(extraMs = 2000) {
    for (;;) {
      if (this.pending.size === 0) return
      const last = Math.max(...[...this.pending].map((call) => call.deadline))
      const wait = last + GRACE + extraMs - performance.now()
      if (wait <= 0) break
      await new Promise((resolve) => setTimeout(resolve, Math.min(wait, 20)))
    }
    this.hung = this.pending.size
    for (const call of [...this.pending].slice(0, 3)) {
      this.fault(`${call.name} never settled: ${Math.round(performance.now() - call.deadline)} ms after its deadline`)
    }
  }
}

/** A value short enough to print. */
export function brief(value) {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
  return text.length > 60 ? `${text.slice(0, 60)}… (${text.length} characters)` : text
}
