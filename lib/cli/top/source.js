'use strict'

const { now } = require('../../clock.js')
const { ping } = require('../../health/probe.js')
const { parseInfo } = require('../../health/info.js')
const { nativeOf } = require('../../native-service.js')

const MINUTE_MS = 60_000

/** What is read from a server: its counters, the time of PINGs in the last minute, and the counts of queues. */
class Source {
  #native
  #queues
  // `[when, ms]`, the oldest first.
  #pings = []

  constructor({ service, timeoutMs, words }, queues) {
    this.#native = nativeOf(service.with({ timeoutMs }))
    this.#queues = queues
    /** The address, without a password. */
    this.where = words
  }

  /** Counters as they are now: `{ at, info, queues }`. */
  async read() {
    const counts = this.#queues.map(async (queue) => ({ queue: queue.name, ...(await queue.counts()) }))
    const [text, commands, ...queues] = await Promise.all([
      this.#native.probe(['INFO']),
      // Servers before Redis 7 take one section only.
      this.#native.probe(['INFO', 'commandstats']),
      ...counts,
    ])
    return { at: now(), info: new Map([...parseInfo(text), ...parseInfo(commands)]), queues }
  }

  async ping() {
    const ms = await ping(this.#native)
    this.#pings.push([now(), ms])
    const oldest = now() - MINUTE_MS
    while (this.#pings[0][0] < oldest) this.#pings.shift()
  }

  /** The PINGs of the last minute: `{ count, p50Ms, p99Ms }`. Without one, the times are null. */
  get pings() {
    const times = this.#pings.map(([, ms]) => ms).sort((a, b) => a - b)
    const at = (share) => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? null
    return { count: times.length, p50Ms: at(0.5), p99Ms: at(0.99) }
  }

  /** How many primaries the cluster has, or null if the server is not in a cluster. */
  get primaries() {
    const { topology, nodes } = this.#native.status()
    return topology === 'cluster' ? nodes.filter(({ role }) => role === 'primary').length : null
  }
}

module.exports = { Source }
