'use strict'

const { LONGEST_MS } = require('./lease.js')

// How long a share should last.
const AIM_MS = 200
const MOST_GROWTH = 8
// A refused process asks again after this part of the time until the limit is whole again, and after `LONGEST_MS`, because others may give
// hits back.
const ASK_AGAIN = 100
const SOONEST_MS = 5

/** What this environment knows of an identifier in whose limit it has shares: the shares, the demand, the last refusal. */
class SharedIdentifier {
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
  /** How often its shares were released. */
  releases = 0
  #refusal
  #refusedAt = 0

  constructor(policy, identifier) {
    this.policy = policy
    this.identifier = identifier
  }

  /** Returns a share with so many hits left. */
  shareFor(cost, at) {
    if (this.share?.left === 0) [this.share, this.next] = [this.next, undefined]
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

  leased({ hits, used, at, resetMs }) {
    this.used = used
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
    const wait = Math.min(result.retryAfterMs, Math.max(result.resetMs / ASK_AGAIN, SOONEST_MS), LONGEST_MS)
    this.refusedUntil = this.renewAfter = at + wait
  }

  refusal(at) {
    this.refused += 1
    const passed = Math.floor(at - this.#refusedAt)
    const { resetMs, retryAfterMs } = this.#refusal
    // 0 is for what is allowed.
    const left = { resetMs: Math.max(resetMs - passed, 0), retryAfterMs: Math.max(retryAfterMs - passed, 1) }
    return { ...this.#refusal, ...left, source: 'share' }
  }
}

module.exports = { SharedIdentifier }
