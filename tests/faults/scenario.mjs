// A fault, and what has to hold while it lasts and after it. A file of scenarios/ or topologies/ exports one:
//
//   export default scenario({ number: 3, name: 'reset mid-reply', short: true }, async (t) => {
//     const service = await t.service({ timeoutMs: 500 })
//     const load = await t.load({ service, rate: 200 })
//     await t.proxy.cutReply({ match: /^GET/, bytes: 'random' })
//     await t.heal()
//     await t.healed(service)
//   })
//
// Whatever it does, these hold of every scenario: no wrong result, no promise unsettled 50 ms after its deadline, every
// failure has a code, less than 50 MB more memory, an event loop that is on time, no line said twice.

import { setTimeout as sleep } from 'node:timers/promises'

import { Calls } from './calls.mjs'
import { Load } from './load.mjs'
import { kindOf, repeated } from './log.mjs'
import { randomFrom } from './proxy/random.mjs'

/**
 * Declares a scenario.
 *
 * - `number`, `name`: what the table calls it.
 * - `engine`: `'redis'` (default) starts a server and a proxy before it; `'none'` starts nothing.
 * - `server`: options of `startRedis`; `raw`: the proxy looks for no frames, as TLS has none to see.
 * - `tls`: whether it needs a server with TLS.
 * - `short`: whether `npm test` runs it.
 * - `limitMs`: it is killed after so long, and has failed. Default 60 s.
 * - `rssMb`: how much memory it may keep; default 50. `peakMb`: how much it may take meanwhile; unlimited.
 * - `lagMs`: how late the event loop may be, at the 99th percentile; default 20.
 * - `within`: `'mounts'` runs it where it may change `/etc/hosts`, `'clock'` where it may set the time.
 */
export function scenario(about, run) {
  const defaults = {
    engine: 'redis',
    server: {},
    raw: false,
    tls: false,
    short: false,
    limitMs: 60_000,
    rssMb: 50,
    lagMs: 20,
  }
  return { ...defaults, ...about, run }
}

/** What a scenario is given. `short` asks it to be as short as it can, `random()` is chance by the seed. */
export class Run {
  /** What did not hold, in words. */
  reasons = []
  notes = []
  healMs = null
  events = []
  server
  proxy
  /** How to ask for a counter at the end, where the server cannot be asked without a password or a database. */
  readCounter
  #services = new Map()
  #loads = []
  #healAt
  #copyMs = 0
  #watch
  #cinnabar
  #dropped = new Set()

  constructor({ about, seed, short, cinnabar, watch }) {
    Object.assign(this, { about, seed, short, random: randomFrom(seed) })
    this.#cinnabar = cinnabar
    this.#watch = watch
    this.calls = new Calls((from, to) => watch.lateBetween(from, to))
  }

  /**
   * A service that reaches the server through the proxy, unless `url` says otherwise. What it says is kept: see `said()`.
   * It is connected unless `connect: false`.
   */
  async service({ connect = true, ...options } = {}) {
    const events = []
    const settings = { log: (event) => (events.push(event), this.events.push(event)), ...options }
    if (!('url' in settings) && !('host' in settings)) settings.url = this.proxy.url
    const service = this.#open(settings)
    this.#services.set(service, { timeoutMs: options.timeoutMs ?? 5000, events })
    if (connect) await service.connect()
    return service
  }

  #open(settings) {
    try {
      return new this.#cinnabar.RedisService(settings)
    } catch (error) {
      // What a build does not have is said, and the rest of the scenario still shows something.
      const [, name] = /unknown option "(\w+)"/.exec(error.message) ?? []
      if (!name || !(name in settings)) throw error
      const { [name]: _, ...others } = settings
      this.#dropped.add(name)
      if (name === 'log') this.note('this build has no log option')
      else this.check(false, `this build has no option "${name}"`)
      return this.#open(others)
    }
  }

  /** How long this process could not run between two moments, because others had the processors, in ms. */
  lateBetween(from, to) {
    return this.#watch.lateBetween(from, to)
  }

  get cinnabar() {
    return this.#cinnabar
  }

  /**
   * Makes a call whose result is checked by `right` and whose end is measured against its deadline. Returns `{ value }` or
   * `{ error }`; never rejects.
   */
  call(service, name, action, { timeoutMs = this.#timeoutOf(service), right } = {}) {
    return this.calls.make(name, () => action(service), { timeoutMs, right })
  }

  /** The same, and the failure must have one of these codes. Returns the error, or undefined when it was fulfilled. */
  async fails(service, name, action, codes, options) {
    const { value, error } = await this.call(service, name, action, options)
    const wanted = [codes].flat()
    if (!error)
      this.check(false, `${name} was to fail with ${wanted.join(' or ')}, and returned ${JSON.stringify(value)}`)
    else
      this.check(
        wanted.includes(error.code),
        `${name} failed with ${error.code}, not ${wanted.join(' or ')}: ${error.message}`,
      )
    return error
  }

  /** Starts a steady caller: see load.mjs for its options. */
  async load({ service, ...options }) {
    const load = new Load(this.calls, service, { timeoutMs: this.#timeoutOf(service), ...options })
    this.#loads.push(load)
    return await load.start()
  }

  #timeoutOf(service) {
    return this.#services.get(service)?.timeoutMs ?? 5000
  }

  /** Ends every fault of the proxy, and runs `action`, which ends those of other kinds. Time to heal counts from here. */
  async heal(action, { dead } = {}) {
    if (this.proxy) await this.proxy.heal({ dead })
    await action?.()
    this.over()
  }

  /** Says that what came before was preparation, whose cost is not the library's. */
  begin() {
    this.#watch.restart()
  }

  /**
   * Says that calls hand over such bytes. A call copies them before it returns, so that they may change afterwards, and how
   * long that takes is up to this machine's memory: the event loop may be late by one plain copy of them more. To be called
   * first, since the copies that measure how long one takes block the loop.
   */
  copies(bytes) {
    const times = Array.from({ length: 9 }, () => {
      const from = performance.now()
      Buffer.from(bytes)
      return performance.now() - from
    })
    this.#copyMs = times.sort((a, b) => a - b)[4]
    this.note(`a plain copy of ${(bytes.length / 2 ** 20).toFixed(0)} MB takes ${this.#copyMs.toFixed(1)} ms here`)
    this.begin()
  }

  /** Says that the fault is over, or has ended by itself: time to heal counts from here. */
  over() {
    this.#healAt = performance.now()
  }

  /** Asks until a call succeeds; it has failed when that takes longer than `withinMs`. Returns the ms it took. */
  async healed(service, { withinMs = 5000, ask = (service) => service.get('healed?') } = {}) {
    const from = this.#healAt ?? performance.now()
    const asking = new AbortController()
    const healed = new Promise((resolve) => {
      const probe = async () => {
        const { error } = await this.call(service, 'a call after healing', ask)
        if (!error) resolve(performance.now() - from)
      }
      const timer = setInterval(probe, 20)
      asking.signal.addEventListener('abort', () => clearInterval(timer))
      probe()
    })
    const took = await Promise.race([healed, sleep(withinMs, undefined, { ref: true })])
    asking.abort()
    if (took === undefined) {
      this.healMs = Infinity
      this.check(false, `not healed ${withinMs} ms after the fault`)
      return Infinity
    }
    this.healMs = Math.max(this.healMs ?? 0, took)
    return took
  }

  /** Says what does not hold; goes on all the same, so that one run says all that is wrong. */
  check(holds, otherwise) {
    if (!holds && this.reasons.length < 20 && !this.reasons.includes(otherwise)) this.reasons.push(otherwise)
    return holds
  }

  /** Adds a figure to what is printed about this scenario. */
  note(text) {
    if (!this.notes.includes(text)) this.notes.push(text)
  }

  /** Whether a service said that something of this kind happened, such as `'lost'` or `'breaker-open'`. */
  said(service, kind) {
    if (this.#dropped.has('log')) return true
    const wanted = kindOf({ type: kind })
    return this.#services.get(service).events.some((event) => kindOf(event) === wanted)
  }

  /** Checks that it did. */
  checkSaid(service, kind) {
    this.check(this.said(service, kind), `nothing was said of "${kind}"`)
  }

  /** Polls until it returns true, and says what was waited for when it does not become so. */
  async until(what, ask, { withinMs = 10_000 } = {}) {
    const deadline = performance.now() + withinMs
    while (!(await ask())) {
      if (performance.now() > deadline) return this.check(false, `waited ${withinMs} ms in vain until ${what}`)
      await sleep(10)
    }
    return true
  }

  /** Checks that connections which were open at a moment, and good for nothing since, have been closed by the client. */
  async nothingKept(since, { withinMs = 3000 } = {}) {
    const moment = performance.timeOrigin + since
    let kept = []
    const gone = async () => {
      const { connections } = await this.proxy.counters()
      kept = connections.filter((one) => one.openedAt < moment && one.closedAt === null)
      return kept.length === 0
    }
    await this.until('connections that are good for nothing were closed', gone, { withinMs })
  }

  sleep = (ms) => sleep(ms)

  /** Ends what is still going on and checks what holds of every scenario. */
  async finish() {
    for (const load of this.#loads) await load.stop()
    await this.calls.finish()
    for (const load of this.#loads) await this.#verify(load)
    const { calls } = this
    this.check(calls.wrong === 0, `${calls.wrong} wrong results`)
    this.check(calls.late === 0, `${calls.late} promises settled later than 50 ms after their deadline`)
    this.check(calls.hung === 0, `${calls.hung} promises never settled`)
    for (const fault of calls.faults) this.check(false, fault)
    for (const { events } of this.#services.values()) {
      for (const line of repeated(events)) this.check(false, line)
    }
    for (const service of this.#services.keys()) {
      const closed = await Promise.race([service.disconnect().then(() => true), sleep(6000)])
      this.check(closed, 'disconnect() took longer than 6 s')
    }
  }

  /** Counters that only the load changes must be what its calls returned. */
  async #verify(load) {
    const read = this.readCounter ?? (this.server?.running ? (key) => this.server.command('GET', key) : undefined)
    if (!read || load.vanished) return
    const { count, example } = await load.verify(read)
    this.calls.wrong += count
    this.check(count === 0, `${count} counters are not what their calls returned: ${example}`)
  }

  /** The row of the table. */
  row({ watched, growthMb }) {
    const { about, calls } = this
    const lagMs = about.lagMs + this.#copyMs
    this.check(watched.p99 < lagMs, `the event loop was ${watched.p99.toFixed(1)} ms late (99th percentile)`)
    this.check(growthMb < about.rssMb, `${growthMb.toFixed(1)} MB more memory than before`)
    this.note(`${growthMb.toFixed(1)} MB more memory, ${watched.peakMb.toFixed(1)} MB at most`)
    this.note(
      `event loop ${watched.p99.toFixed(1)} ms late (99th percentile), ${watched.p99WithOthers.toFixed(1)} ms with waiting for a processor`,
    )
    if (about.peakMb) this.check(watched.peakMb < about.peakMb, `${watched.peakMb.toFixed(1)} MB more memory meanwhile`)
    const codes = Object.entries(calls.codes).map(([code, count]) => `${count} ${code}`)
    this.note(`${calls.ok} fulfilled${codes.length ? `, ${codes.join(', ')}` : ''}`)
    return {
      calls: calls.count,
      wrong: calls.wrong,
      unsettled: calls.late + calls.hung,
      slowest: Number.isFinite(calls.slowest) ? Math.round(calls.slowest) : null,
      heal: this.healMs === null ? null : Number.isFinite(this.healMs) ? Math.round(this.healMs) : 'never',
      reasons: this.reasons,
      notes: this.notes,
    }
  }
}
