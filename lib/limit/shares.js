'use strict'

const { later, now } = require('../clock.js')
const { Lease } = require('./lease.js')

// At the latest after so long, a share is given back, so that blocks and overrides reach a process that has one.
const LONGEST_MS = 1000
// How often shares are looked at that may not be used up.
const TICK_MS = 250
// How long a share should last.
const AIM_MS = 200
const MOST_GROWTH = 8
// A refused process asks again after this part of the time until the limit is whole again, because others may give hits back.
const ASK_AGAIN = 100
const SOONEST_MS = 5
// More identifiers than this are checked by the store.
const MOST_IDENTIFIERS = 10_000

/**
 * The shares that this environment has of limits: hits that the store has counted as spent, and that are then allowed here without
 * asking it. `lease(policy, identifier, wanted, least)` resolves to `{ result, hits, charge }`, with no hits if fewer than `least` are
 * left; `giveBack(policy, identifier, charge, used)` returns what is left of a share; `observe(policy, identifier, allowed, refused)`
 * counts what was decided here.
 */
class Shares {
  #source
  #identifiers = new Map()
  #endTick

  /** `policies` are the names of those that have shares. */
  constructor(policies, source) {
    this.#source = source
    for (const policy of policies) this.#identifiers.set(policy, new Map())
  }

  /** Whether hits of a policy are decided here. */
  has(policy) {
    return this.#identifiers.has(policy)
  }

  /** Decides from a share; returns `undefined` if the store has to be asked. */
  decide(policy, identifier, cost) {
    const known = this.#identifiers.get(policy)?.get(identifier)
    if (known === undefined) return undefined
    const at = now()
    const share = known.shareFor(cost, at)
    if (share !== undefined) {
      known.used += cost
      known.allowed += 1
      const decided = share.take(cost, at)
      if (share.left < share.low && known.next === undefined && at >= known.renewAfter) this.#renew(known)
      return decided
    }
    if (at < known.refusedUntil && cost >= known.refusedCost) {
      return known.refusal(at)
    }
    return undefined
  }

  /** Decides, after asking the store for a share; resolves to `undefined` if it is to decide by itself. */
  async check(policy, identifier, cost) {
    const known = this.#known(policy, identifier)
    if (known === undefined) return undefined
    known.waiting += cost
    try {
      for (;;) {
        const { result, hits, least } = await (known.asking ?? this.#ask(known, cost))
        // Without a store, `onUnavailable` may allow everything.
        if (hits === 0 && result.allowed) return result
        if (hits === 0 && least <= cost) {
          if (known.left === 0) return known.refusal(now())
          // What is left may be enough together with what this process has.
          await this.#giveBack(known)
          continue
        }
        const decided = this.decide(policy, identifier, cost)
        if (decided !== undefined) return decided
      }
    } finally {
      known.waiting -= cost
    }
  }

  /** Gives back what is left of the shares of an identifier, or of all. */
  release(policy, identifier) {
    const all = policy === undefined ? [...this.#all()] : [this.#identifiers.get(policy)?.get(identifier)]
    for (const known of all) {
      if (known === undefined) continue
      this.#giveBack(known)
      known.refusedUntil = known.renewAfter = 0
      this.flush(known)
    }
  }

  /** Counts what was decided since the last time. */
  flush(known) {
    for (const each of known === undefined ? this.#all() : [known]) {
      const { policy, identifier, allowed, refused } = each
      if (allowed > 0 || refused > 0) this.#source.observe(policy, identifier, allowed, refused, each.refusedFor)
      each.allowed = each.refused = 0
    }
  }

  *#all() {
    for (const identifiers of this.#identifiers.values()) yield* identifiers.values()
  }

  #known(policy, identifier) {
    const identifiers = this.#identifiers.get(policy)
    let known = identifiers.get(identifier)
    if (known === undefined && identifiers.size < MOST_IDENTIFIERS) {
      known = new Identifier(policy, identifier)
      identifiers.set(identifier, known)
      this.#endTick ??= later(TICK_MS, () => this.#tick(), false)
    }
    return known
  }

  // In the background: the next caller who needs one asks again, and sees the error.
  #renew(known) {
    if (known.asking === undefined) this.#ask(known, 1).catch(() => (known.renewAfter = now() + TICK_MS))
  }

  #ask(known, least) {
    const wanted = Math.max(least, known.waiting, known.demand(now()))
    const asked = this.#lease(known, wanted, least).finally(() => (known.asking = undefined))
    known.asking = asked
    return asked
  }

  async #lease(known, wanted, least) {
    // Before it is sent, so that it ends here before it ends in the store.
    const began = now()
    const beganWall = Date.now()
    const leased = await this.#source.lease(known.policy, known.identifier, wanted, least)
    const { result, hits, charge } = leased
    if (hits > 0) {
      const lease = new Lease({ result, hits, charge, began, beganWall, longestMs: LONGEST_MS })
      if (known.next !== undefined || known.share?.left === 0) this.#end(known, known.share)
      if (known.share === undefined) known.share = lease
      else known.next = lease
      known.leased(hits, began, result.resetMs)
    } else if (!result.allowed) {
      known.refuse(result, least, began)
    }
    return { ...leased, least }
  }

  /** Ends all shares of an identifier; resolves once what was left of them has been given back. */
  #giveBack(known) {
    return Promise.all([this.#end(known, known.next), this.#end(known, known.share)])
  }

  /** Ends a share; resolves once what was left of it has been given back. */
  async #end(known, lease) {
    if (lease === undefined) return
    if (known.next === lease) known.next = undefined
    else if (known.share === lease) [known.share, known.next] = [known.next, undefined]
    const left = lease.end(now())
    if (left === 0) return
    const { policy, identifier } = known
    // What cannot be given back stays spent until the limit is whole again.
    await this.#source.giveBack(policy, identifier, lease.charge, lease.hits - left).catch(() => {})
  }

  #tick() {
    const at = now()
    for (const known of this.#all()) {
      this.flush(known)
      for (const lease of [known.next, known.share]) {
        if (lease?.isIdle(at, TICK_MS, LONGEST_MS)) this.#end(known, lease)
      }
      const isNeeded = known.share ?? known.asking
      if (isNeeded === undefined && at >= known.refusedUntil)
        this.#identifiers.get(known.policy).delete(known.identifier)
    }
    const some = [...this.#identifiers.values()].some(({ size }) => size > 0)
    this.#endTick = some ? later(TICK_MS, () => this.#tick(), false) : undefined
  }
}

/** What is known here of an identifier. */
class Identifier {
  share
  next
  /** The promise of the share that was asked for. */
  asking
  /** Hits of callers who wait for it. */
  waiting = 0
  /** Hits since the last share, and when that was. */
  used = 0
  since = 0
  size = 1
  ends = 0
  /** What was decided since it was last counted. */
  allowed = 0
  refused = 0
  refusedUntil = 0
  refusedCost = 0
  /** Until then it is not asked for another share while there is one. */
  renewAfter = 0
  refusedFor = 0
  #refusal
  #refusedAt = 0

  constructor(policy, identifier) {
    this.policy = policy
    this.identifier = identifier
  }

  /** Returns a share with so many hits left. */
  shareFor(cost, at) {
    if (this.share?.covers(cost, at)) return this.share
    return this.next?.covers(cost, at) ? this.next : undefined
  }

  /** How many hits are left of its shares. */
  get left() {
    return (this.share?.left ?? 0) + (this.next?.left ?? 0)
  }

  /** Returns how many hits it will need in `AIM_MS`, by those since the last share. */
  demand(at) {
    const passed = Math.max(at - this.since, 0.1)
    const aim = this.ends > at ? Math.min(AIM_MS, this.ends - at) : AIM_MS
    return Math.min(Math.ceil((this.used / passed) * aim), this.size * MOST_GROWTH)
  }

  leased(hits, at, resetMs) {
    this.used = 0
    this.since = at
    this.size = hits
    this.ends = at + resetMs
    this.refusedUntil = this.renewAfter = 0
  }

  refuse(result, cost, at) {
    this.#refusal = result
    this.#refusedAt = at
    this.refusedCost = cost
    this.refusedFor = result.resetMs
    const wait = Math.min(result.retryAfterMs, Math.max(result.resetMs / ASK_AGAIN, SOONEST_MS))
    this.refusedUntil = this.renewAfter = at + wait
  }

  refusal(at) {
    this.refused += 1
    const passed = Math.floor(at - this.#refusedAt)
    const { resetMs, retryAfterMs } = this.#refusal
    const source = this.#refusal.source === 'store' ? 'share' : this.#refusal.source
    const left = { resetMs: Math.max(resetMs - passed, 0), retryAfterMs: Math.max(retryAfterMs - passed, 0) }
    return { ...this.#refusal, ...left, source }
  }
}

module.exports = { Shares }
