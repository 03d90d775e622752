// A steady caller: so many calls a second whether the earlier ones have settled or not, and each result is checked. No two
// keys hold the same value and no two calls may get the same number, so that a result given to the wrong caller shows.

/** What a caller does when a scenario does not say: shares of each kind of call. */
const MIX = { get: 6, set: 2, read: 2, echo: 2, incr: 2 }
const TICK = 5

export class Load {
  ok = 0
  failed = 0
  codes = {}
  running = true
  /** INCRs by key: how many were fulfilled, and how many may have been applied without a reply. */
  counters = new Map()
  #calls
  #service
  #options
  #timer
  #sequence = 0
  #stored = new Map()
  #waiting = []
  #slots = []
  #kinds

  constructor(calls, service, options) {
    this.#calls = calls
    this.#service = service
    this.#options = { rate: 200, mix: MIX, keys: 50, name: 'load', fill: true, mayVanish: false, ...options }
    this.#kinds = Object.entries(this.#options.mix).flatMap(([kind, share]) => Array(share).fill(kind))
  }

  /** Stores what will be read, then starts. */
  async start() {
    const { fill, keys, rate } = this.#options
    if (fill) {
      for (let i = 0; i < keys; i++) await this.#service.set(this.#key('get', i), this.#fixed(i))
    }
    let due = 0
    let before = performance.now()
    this.#timer = setInterval(() => {
      const now = performance.now()
      due += ((now - before) * rate) / 1000
      before = now
      for (; due >= 1; due--) this.#next()
    }, TICK)
    return this
  }

  /** From now on values may be gone, as after a restart of a server that keeps nothing on disk. */
  mayVanish() {
    this.#options.mayVanish = true
  }

  get vanished() {
    return this.#options.mayVanish
  }

  /** Makes no more calls, and waits for those under way. */
  async stop() {
    if (!this.running) return
    this.running = false
    clearInterval(this.#timer)
    await this.#calls.finish()
  }

  /** Resolves with the first call that is made from now on and succeeds: `{ at, ms }`. */
  nextSuccess(since = performance.now()) {
    return new Promise((resolve) => this.#waiting.push({ since, resolve }))
  }

  /** How the calls made between two moments (of `performance.now()`) ended: `{ made, ok, failed, slowest }`. */
  between(from, to = Infinity) {
    const sum = { made: 0, ok: 0, failed: 0, slowest: 0 }
    for (const slot of this.#slots) {
      if (!slot || slot.at < from || slot.at >= to) continue
      sum.made += slot.made
      sum.ok += slot.ok
      sum.failed += slot.failed
      sum.slowest = Math.max(sum.slowest, slot.slowest)
    }
    return sum
  }

  /**
   * Compares every counter with the results of its callers: how many are wrong, and one of them in words. `read(key)` asks
   * the server.
   */
  async verify(read) {
    let count = 0
    let example
    for (const [key, { settled, maybe }] of this.counters) {
      const value = Number((await read(key)) ?? 0)
      if (value >= settled.size && value <= settled.size + maybe) continue
      count++
      example ??= `${key} is ${value}, with ${settled.size} fulfilled and ${maybe} flagged as maybe applied`
    }
    return { count, example }
  }

  #key = (kind, i) => `${this.#options.name}:${kind}:${i}`
  #fixed = (i) => `${this.#key('get', i)}=fixed`

  #next() {
    const n = this.#sequence++
    const kind = this.#kinds[n % this.#kinds.length]
    const i = Math.floor(n / this.#kinds.length) % this.#options.keys
    // Commands of the raw client want a connection to have been; until then a read stands in.
    const client = kind === 'echo' || kind === 'incr' ? this.#raw() : undefined
    if (kind === 'set') return this.#set(i, n)
    if (kind === 'read') return this.#read(i)
    if (kind === 'echo' && client) return this.#echo(client, n)
    if (kind === 'incr' && client) return this.#incr(client, i)
    const key = this.#key('get', i)
    this.#make(
      `get ${key}`,
      () => this.#service.get(key),
      (value) => this.#gone(value) || value === this.#fixed(i),
    )
  }

  #client
  #raw() {
    return (this.#client ??= this.#service.getClient())
  }

  #gone(value) {
    return value === null && (this.#options.mayVanish || !this.#options.fill)
  }

  #set(i, n) {
    const key = this.#key('set', i)
    const made = `${key}=${n}`
    this.#stored.set(key, true)
    this.#make(
      `set ${key}`,
      () => this.#service.set(key, made),
      (value) => value === 'OK',
    )
  }

  #read(i) {
    const key = this.#key('set', i)
    this.#make(
      `read ${key}`,
      () => this.#service.get(key),
      (value) => value === null || value.startsWith(`${key}=`),
    )
  }

  #echo(client, n) {
    const said = `${this.#options.name}:echo:${n}`
    this.#make(
      `echo ${n}`,
      () => client.sendCommand(['ECHO', said]),
      (value) => value === said,
    )
  }

  async #incr(client, i) {
    const key = this.#key('count', i)
    const counter = this.counters.get(key) ?? { settled: new Map(), maybe: 0 }
    this.counters.set(key, counter)
    const made = performance.now()
    const { error } = await this.#make(
      `incr ${key}`,
      () => client.incr(key),
      (value) => {
        if (!Number.isInteger(value)) return `returned ${value}`
        const now = performance.now()
        const before = counter.settled.get(value)
        if (before !== undefined && !this.#options.mayVanish) {
          const [waited, ago] = [now - made, now - before].map(Math.round)
          return `returned ${value} after ${waited} ms, a second time, ${ago} ms after the first`
        }
        counter.settled.set(value, now)
        return true
      },
    )
    if (error?.code === 'E_MAYBE_APPLIED') counter.maybe++
  }

  async #make(name, action, right) {
    const made = performance.now()
    const slot = (this.#slots[Math.floor(made / 100)] ??= { at: made, made: 0, ok: 0, failed: 0, slowest: 0 })
    slot.made++
    const outcome = await this.#calls.make(name, action, { timeoutMs: this.#options.timeoutMs, right })
    slot.slowest = Math.max(slot.slowest, outcome.ms)
    if (outcome.error) {
      slot.failed++
      this.failed++
      const code = outcome.error.code ?? outcome.error.name
      this.codes[code] = (this.codes[code] ?? 0) + 1
    } else {
      slot.ok++
      this.ok++
      const reached = this.#waiting.filter(({ since }) => since <= made)
      if (reached.length > 0) this.#waiting = this.#waiting.filter((one) => !reached.includes(one))
      for (const { resolve } of reached) resolve(outcome)
    }
    return outcome
  }
}
