'use strict'

const { isUnavailable } = require('../error.js')
const { localTime } = require('./store-clock.js')

const PROBE_MS = 1000

/** Whether the store can be reached, by what calls have shown; handlers do without it until a probe has found it again. */
class Outage {
  /** How many there were. */
  count = 0
  #log
  #since
  #probedAt = 0
  #isProbing = false
  #reported = new Set()

  constructor(log) {
    this.#log = log
  }

  /** Whether to do without the store now. If so, `probe()` calls it from time to time. */
  lasts(probe) {
    if (this.#since === undefined) return false
    if (!this.#isProbing && localTime() - this.#probedAt >= PROBE_MS) this.#probe(probe)
    return true
  }

  async #probe(probe) {
    this.#isProbing = true
    try {
      await probe()
      this.succeeded()
    } catch (error) {
      // It replies, if only that it refuses.
      if (!isUnavailable(error)) this.succeeded()
    } finally {
      this.#isProbing = false
      this.#probedAt = localTime()
    }
  }

  /** Takes note of a call that the store has replied to. */
  succeeded() {
    if (this.#since === undefined) return
    const seconds = Math.ceil((localTime() - this.#since) / 1000)
    this.#log(`cinnabar: the cache of Next.js has its server again, after ${seconds} s`)
    this.#since = undefined
  }

  /** Takes note of an error, and logs it: once in an outage, and any other once per code. */
  failed(error) {
    if (isUnavailable(error)) {
      if (this.#since !== undefined) return
      this.#since = this.#probedAt = localTime()
      this.count++
      this.#log(
        `cinnabar: the cache of Next.js does without its server, so that pages are rendered anew: ${error.message}`,
      )
    } else if (!this.#reported.has(error?.code)) {
      this.#reported.add(error?.code)
      this.#log(`cinnabar: the cache of Next.js has failed, so that a page is rendered anew: ${error?.message}`)
    }
  }
}

// By service and log, so that only the first call of all handlers waits for a server that hangs.
const outages = new WeakMap()

function outageOf({ service, log }) {
  if (!outages.has(service)) outages.set(service, new Map())
  const byLog = outages.get(service)
  if (!byLog.has(log)) byLog.set(log, new Outage(log))
  return byLog.get(log)
}

module.exports = { outageOf }
