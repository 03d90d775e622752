'use strict'

const { later, now } = require('../clock.js')
const { Lease } = require('./lease.js')
const { SharedIdentifier } = require('./shared-identifier.js')

// How often shares are looked at that may not be used up.
const TICK_MS = 250
// More identifiers than this are checked by the store.
const MOST_IDENTIFIERS = 10_000
const LONGEST_IDENTIFIER = 1024
// How often a call waits for a share before the store decides about it alone.
const MOST_ROUNDS = 5

/**
 * The shares that this environment has of limits: hits that the store has counted as spent, and that are then allowed here without
 * asking it. `lease(policy, identifier, wanted, least)` resolves to `{ result, hits, charge }`, with no hits if fewer than `least` are
 * left; `giveBack(policy, identifier, charge, used)` returns what is left of a share; `observe(policy, identifier, allowed, refused, ms)`
 * counts what was decided here; `beforeDisconnect(end)` calls `end` then, and returns a function that prevents it.
 */
class Shares {
  #source
  // How long the store took to grant the last share.
  #roundTrip = 0
  #identifiers = new Map()
  #endTick
  #unwatch

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
      if (share.left < share.low) this.#renew(known, at)
      return decided
    }
    if (at < known.refusedUntil && cost >= known.refusedCost) return known.refusal(at)
    return undefined
  }

  /**
   * Asks the store for a share and decides: resolves to `{ decided }`. It begins no round that is not expected to end by `until`. Without
   * `decided`, the caller asks the store to decide; `isAway` says that the store did not reply.
   */
  async check(policy, identifier, cost, until) {
    const known = this.#known(policy, identifier)
    if (known === undefined) return {}
    known.waiting += cost
    let hasGivenBack = false
    try {
      for (let round = 0; round < MOST_ROUNDS; round++) {
        if (round > 0 && now() + this.#roundTrip > until) break
        if (known.asking !== undefined) {
          const asked = await known.asking.catch(() => undefined)
          // Only who asks has an effect on what takes the place of a store that is unavailable.
          if (asked?.result.source !== 'store') return { isAway: true }
          const decided = this.decide(policy, identifier, cost)
          if (decided !== undefined) return { decided }
          continue
        }
        const { decided, result } = await this.#ask(known, cost, cost)
        if (decided !== undefined) return { decided }
        if (result.source !== 'store') return { decided: result }
        if (known.left === 0 || hasGivenBack) return { decided: known.refusal(now()) }
        // What is left may be enough together with what this process has.
        hasGivenBack = true
        await this.#giveBack(known)
      }
    } finally {
      known.waiting -= cost
    }
    return {}
  }

  /** Asks for a share of an identifier, for those who check it later. */
  prepare(policy, identifier, cost) {
    const known = this.#known(policy, identifier)
    if (known === undefined) return
    known.used += cost
    this.#renew(known, now())
  }

  /**
   * Gives back what is left of the shares of an identifier, or of all, also of those that were asked for and have not come. Resolves once
   * that is done.
   */
  async release(policy, identifier) {
    const all = policy === undefined ? [...this.#all()] : [this.#identifiers.get(policy)?.get(identifier)]
    await Promise.all(all.map((known) => known && this.#release(known)))
  }

  #release(known) {
    known.releases += 1
    known.refusedUntil = known.renewAfter = 0
    this.#flush(known)
    return Promise.all([this.#giveBack(known), known.asking?.catch(() => {})])
  }

  /** Counts what was decided since the last time. */
  flush() {
    for (const known of this.#all()) this.#flush(known)
  }

  #flush(known) {
    const { policy, identifier, allowed, refused, refusedFor } = known
    if (allowed > 0 || refused > 0) this.#source.observe(policy, identifier, allowed, refused, refusedFor)
    known.allowed = known.refused = 0
  }

  *#all() {
    for (const identifiers of this.#identifiers.values()) yield* identifiers.values()
  }

  #known(policy, identifier) {
    const identifiers = this.#identifiers.get(policy)
    let known = identifiers.get(identifier)
    if (known === undefined && identifiers.size < MOST_IDENTIFIERS && identifier.length <= LONGEST_IDENTIFIER) {
      known = new SharedIdentifier(policy, identifier)
      identifiers.set(identifier, known)
      if (this.#endTick === undefined) {
        this.#endTick = later(TICK_MS, () => this.#tick(), false)
        this.#unwatch = this.#source.beforeDisconnect(() => this.release())
      }
    }
    return known
  }

  // In the background: the next caller who needs one asks again, and sees the error.
  #renew(known, at) {
    if (known.asking !== undefined || known.next !== undefined || at < known.renewAfter) return
    this.#ask(known, 0, 0).catch(() => (known.renewAfter = now() + TICK_MS))
  }

  #ask(known, least, cost) {
    const wanted = Math.min(Math.max(least, 1, known.waiting, known.demand(now())), Number.MAX_SAFE_INTEGER)
    const asked = this.#lease(known, wanted, least, cost).finally(() => (known.asking = undefined))
    known.asking = asked
    return asked
  }

  /** Asks for a share, of which `cost` hits are for the caller: `{ result, decided }`, without `decided` if there are none. */
  async #lease(known, wanted, least, cost) {
    // Before it is sent, so that it ends here before it ends in the store.
    const began = now()
    const beganWall = Date.now()
    const { releases } = known
    const { result, hits, charge } = await this.#source.lease(known.policy, known.identifier, wanted, least)
    if (result.source === 'store') this.#roundTrip = now() - began
    if (hits === 0) {
      if (!result.allowed && result.source === 'store') known.refuse(result, least, began)
      else known.renewAfter = now() + TICK_MS
      return { result }
    }
    const lease = new Lease({ result, hits, charge, began, beganWall })
    // The store has counted them for this call, even if the share is over by now.
    const decided = cost > 0 ? lease.take(cost, now()) : undefined
    if (decided !== undefined) known.allowed += 1
    if (known.next !== undefined) this.#end(known, known.share)
    if (known.share === undefined || known.share.left === 0) known.share = lease
    else known.next = lease
    if (releases === known.releases) known.leased({ hits, used: cost, at: began, resetMs: result.resetMs })
    else await this.#end(known, lease)
    return { result, decided }
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
      this.#flush(known)
      for (const lease of [known.next, known.share]) {
        if (lease?.isIdle(at, TICK_MS)) this.#end(known, lease)
      }
      const isIdle = known.share === undefined && known.asking === undefined && known.waiting === 0
      if (isIdle && at >= known.refusedUntil) this.#identifiers.get(known.policy).delete(known.identifier)
    }
    if ([...this.#identifiers.values()].some(({ size }) => size > 0)) {
      this.#endTick = later(TICK_MS, () => this.#tick(), false)
    } else {
      this.#endTick = undefined
      this.#unwatch()
    }
  }
}

module.exports = { Shares }
