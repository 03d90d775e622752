'use strict'

const { later } = require('../clock.js')
const { nativeOf } = require('../native-service.js')
const { claimPrefix } = require('../prefixes.js')
const { headerText, readEntry, writeEntry } = require('./entry.js')
const { Keys } = require('./keys.js')
const { outageOf } = require('./outage.js')
const { Recent } = require('../recent.js')
const { StoreClock, localTime } = require('./store-clock.js')
const { Tags } = require('./tag-states.js')

// For how long a write may go on after the page no longer waits for it.
const WRITE_MS = 5000
const HOUR_MS = 3_600_000

/**
 * What both handlers do with the store: entries with their tags are read and written, and tags invalidated. `read` and `write` never
 * reject, and take `timeoutMs` at most.
 */
class CacheStore {
  #options
  // By timeout, in milliseconds.
  #clients = new Map()
  #tags
  #outage
  #clock = new StoreClock()
  // By key: the tags of its last entry, so that they are read together with it.
  #known = new Recent()
  // By key: what settles when all writes of it have.
  #pending = new Map()
  #counts = { hits: 0, misses: 0, stored: 0, tooLarge: 0, failures: 0 }

  constructor(options) {
    this.#options = options
    this.keys = new Keys(options.prefix)
    this.#outage = outageOf(options)
    // Longer than any entry.
    this.#tags = new Tags(this.keys, options.maxAgeSeconds * 1000 + HOUR_MS, this.#clock)
  }

  /**
   * What the store has for a key: `{ states, header, parts, state }`, where `state` is that of the tags of the entry and of `tags`;
   * only `{ states }` if there is no entry, or it has expired; `undefined` if the store could not say.
   */
  async read(key, tags) {
    await this.#pending.get(key)
    const found = await this.#attempt(this.#options.timeoutMs, (...limits) => this.#readNow(key, tags, ...limits))
    this.#counts[found?.header ? 'hits' : 'misses']++
    return found
  }

  async #readNow(key, tags, client, deadline) {
    const [bytes, first] = await Promise.all([
      client.getBuffer(key),
      this.#tags.read(client, [...tags, ...(this.#known.get(key) ?? [])]),
    ])
    const entry = bytes === null ? undefined : readEntry(bytes)
    if (!entry) return { states: first }
    const own = entry.header.tags
    if (own.length > 0) this.#known.set(key, own)
    const states = first.has(own) ? first : first.and(await this.#tags.read(this.#clientUntil(deadline), own))
    const state = states.classify([...tags, ...own], entry.header.madeAt)
    return state === 'expired' ? { states } : { states, state, ...entry }
  }

  /** The state of an entry that is kept elsewhere, made at a time of the store: what `read` has returned for its key has `states`. */
  async stateOf(key, tags, madeAt, states) {
    if (tags.length > 0) this.#known.set(key, tags)
    const { timeoutMs } = this.#options
    const all = states.has(tags) ? states : await this.#attempt(timeoutMs, (client) => this.#tags.read(client, tags))
    return all?.classify(tags, madeAt) ?? 'expired'
  }

  /**
   * Writes an entry whose value was begun at a local time. `header` has its `tags`. Returns when it is stored, or was not, or
   * `timeoutMs` have passed, after which it may still be stored.
   */
  async write(key, startedAt, ttlMs, header, parts) {
    let text
    try {
      text = headerText(header, parts)
    } catch (error) {
      this.#failed(error)
      return this.#drop(key)
    }
    const run = (client) => this.#writeNow(client, key, startedAt, ttlMs, text, parts)
    await this.#within(this.#attempt(WRITE_MS, run))
  }

  async #writeNow(client, key, startedAt, ttlMs, text, parts) {
    if (this.#clock.ageMs > 1000) await this.#tags.read(client, [])
    const times = { madeAt: this.#clock.earliest(startedAt), storedAt: this.#clock.earliest(localTime()) }
    const bytes = writeEntry(times, text, parts)
    if (bytes.length > this.#options.maxEntryBytes) {
      this.#counts.tooLarge++
      return client.unlink(key)
    }
    const longest = this.#options.maxAgeSeconds * 1000
    await client.set(key, bytes, { PX: Math.ceil(Math.min(ttlMs, longest)) })
    this.#counts.stored++
  }

  /** Does in place of `write` what it does for a value that is too large: what that would have replaced is deleted. */
  async refuse(key) {
    this.#counts.tooLarge++
    await this.#drop(key)
  }

  /** Runs `work()`, for which reads of the key wait. */
  async pending(key, work) {
    const all = Promise.allSettled([this.#pending.get(key), work()])
    this.#pending.set(key, all)
    await all
    if (this.#pending.get(key) === all) this.#pending.delete(key)
  }

  /** Invalidates tags, of every process, as `Tags` says. Rejects if that may not have been done. */
  async updateTags(tags, durations) {
    if (tags.length === 0) return
    const run = (client) => this.#tags.update(client, tags, durations)
    try {
      await this.#repeated(this.#options.tagTimeoutMs, run)
    } catch (error) {
      this.#failed(error)
      throw error
    }
  }

  get maxEntryBytes() {
    return this.#options.maxEntryBytes
  }

  /** The time in this process at a time of the store. */
  localAt(time) {
    return this.#clock.localAt(time)
  }

  stats() {
    return { ...this.#counts, outages: this.#outage.count }
  }

  async #attempt(timeoutMs, run) {
    if (this.#outage.lasts(() => this.#tags.read(this.#client(this.#options.timeoutMs), []))) {
      this.#counts.failures++
      return undefined
    }
    try {
      const result = await this.#repeated(timeoutMs, run)
      this.#outage.succeeded()
      return result
    } catch (error) {
      this.#failed(error)
      return undefined
    }
  }

  // Every call may be made twice, so one of which the outcome is unknown is made again.
  async #repeated(timeoutMs, run) {
    const deadline = localTime() + timeoutMs
    try {
      return await run(this.#client(timeoutMs), deadline)
    } catch (error) {
      if (error?.code !== 'E_MAYBE_APPLIED' || deadline - localTime() < 1) throw error
      return run(this.#clientUntil(deadline), deadline)
    }
  }

  #drop(key) {
    return this.#within(this.#attempt(WRITE_MS, (client) => client.unlink(key)))
  }

  #failed(error) {
    this.#counts.failures++
    this.#outage.failed(error)
  }

  // Settles when `work` does, or after `timeoutMs`.
  #within(work) {
    return new Promise((resolve) => {
      const cancel = later(this.#options.timeoutMs, resolve, false)
      work.finally(cancel).then(resolve, resolve)
    })
  }

  #clientUntil(deadline) {
    const left = Math.max(1, deadline - localTime())
    return this.#options.service.getClient().with({ timeoutMs: left })
  }

  // At the first call, since the service may be the default one, which the environment describes only then.
  #client(timeoutMs) {
    let client = this.#clients.get(timeoutMs)
    if (client) return client
    const { service, prefix } = this.#options
    claimPrefix(nativeOf(service), 'the cache of Next.js', prefix)
    client = service.getClient().with({ timeoutMs })
    this.#clients.set(timeoutMs, client)
    return client
  }
}

module.exports = { CacheStore }
