'use strict'

const { binding } = require('./bridge.js')
const { argumentError } = require('./error.js')
const { NO_LIMITS, limitsWithin, undoIfAborted, withoutSignals } = require('./call-limits.js')
const { now } = require('./clock.js')
const { beforeDisconnect } = require('./draining.js')
const { featureOn } = require('./feature.js')
const { clientIp } = require('./limit/client-ip.js')
const { limitHeaders } = require('./limit/headers.js')
const { concurrentOf, readPolicies, sharedOf, windowsOf } = require('./limit/policies.js')
const { limitProblem } = require('./limit/problem.js')
const { routeKey } = require('./limit/route-key.js')
const { Shares } = require('./limit/shares.js')
const { Slot } = require('./limit/slot.js')
const { waitForTurn } = require('./limit/wait.js')
const { Limitable, limitsOf, partsOf, readCall } = require('./limitable.js')
const { unlimited } = require('./native-service.js')
const names = require('./option-names.js')
const { assertMilliseconds, describe, ownOptions } = require('./options.js')
const { claimPrefix, defaultPrefixes } = require('./prefixes.js')

const OPTIONS = Object.keys(names.limiter)
const CHECK_OPTIONS = ['cost', 'limit', 'refundable']
const COST_OPTIONS = ['cost', 'limit']
const WAIT_OPTIONS = ['cost', 'limit', 'timeoutMs', 'signal']
const ONE_OF_ALL = ['policy', 'identifier', 'cost', 'limit']
const OVERRIDE_OPTIONS = ['limit', 'ttlSeconds']
const NO_OPTIONS = []
// What the native side does with the hits of a call.
const HOW = { take: 0, reserve: 1, peek: 2, drain: 3, wait: 4 }
const LONGEST_WAIT_MS = 86_400_000
const DEFAULT_WAIT_MS = 30_000
const preset = (limit, windowSeconds) => Object.freeze({ limit, windowSeconds })
const PRESETS = Object.freeze({
  DEFAULT: preset(100, 60),
  API: preset(1000, 3600),
  AUTH: preset(5, 300),
  STATIC: preset(1000, 60),
})

/** Rate limits: fixed windows under `rate_limit:{identifier}`, and policies by name. */
class RateLimiter extends Limitable {
  static presets = PRESETS
  static headers = limitHeaders
  static problem = limitProblem
  static clientIp = clientIp
  static keyForRoute = (ip, endpoint) => routeKey(ip, endpoint)

  constructor(service, options) {
    super(service, () => {
      const own = ownOptions(options, OPTIONS)
      own.policies = readPolicies(own.policies)
      const { prefix = defaultPrefixes.limiter, policies } = own
      const shared = {
        routePrefix: prefix === defaultPrefixes.limiter ? '' : prefix,
        hasPolicies: policies !== undefined && policies.length > 0,
        windows: windowsOf(policies),
        concurrent: concurrentOf(policies),
      }
      const make = (native) => {
        const limiter = new binding.Limiter(native, own)
        claimPrefix(native, 'limiter', prefix)
        const owner = unlimited(native)
        shared.shares = sharesOn(owner, limiter, sharedOf(policies))
        return { native: limiter, owner }
      }
      return featureOn(service, make, shared)
    })
  }

  get #native() {
    return partsOf(this).native
  }

  checkRateLimit(identifier, limit = 100, windowSeconds = 3600) {
    return this.#native.check(identifier, limit, windowSeconds)
  }

  resetRateLimit(identifier) {
    return this.#native.reset(identifier)
  }

  checkLimit(key, limit, window) {
    return this.#native.checkKey(key, limit, window)
  }

  async check(first, second, options) {
    if (partsOf(this).shared.hasPolicies) return this.#checkPolicy(first, second, options)
    if (options !== undefined)
      throw argumentError('this limiter has no policies: check takes an identifier and a preset')
    const { limit, windowSeconds } = presetOf(second ?? 'DEFAULT')
    // Sign-ins must not be unlimited because a server is down.
    return this.#native.check(first, limit, windowSeconds, second === 'AUTH')
  }

  #checkPolicy(policy, identifier, options) {
    const [limiter, { cost, limit, refundable = false }] = readCall(this, options, CHECK_OPTIONS)
    if (typeof refundable !== 'boolean')
      throw argumentError(`refundable must be a boolean, got ${describe(refundable)}`)
    if (limit === undefined && !refundable) {
      const decided = limiter.#decide(policy, identifier, cost)
      if (decided !== undefined) return decided
    } else {
      limiter.#release(policy, identifier)
    }
    return limiter.#native.take(policy, identifier, cost, limit, refundable ? HOW.reserve : HOW.take)
  }

  /** Decides from this process's share of the limit, or returns `undefined`. */
  #decide(policy, identifier, cost = 1) {
    const { shares } = partsOf(this).shared
    if (!shares?.has(policy) || typeof identifier !== 'string' || !(Number.isSafeInteger(cost) && cost > 0))
      return undefined
    const limits = limitsOf(this)
    if (limits.signals.some(({ aborted }) => aborted)) return undefined
    const decided = shares.decide(policy, identifier, cost)
    if (decided !== undefined) return decided
    if (limits !== NO_LIMITS) {
      // It does not wait for a share, which is asked for on behalf of others too.
      shares.prepare(policy, identifier, cost)
      return undefined
    }
    return this.#decideLater(policy, identifier, cost)
  }

  async #decideLater(policy, identifier, cost) {
    const until = now() + this.#native.timeoutMs()
    const { decided, isAway } = await partsOf(this).shared.shares.check(policy, identifier, cost, until)
    if (decided !== undefined) return decided
    // A store that did not reply gets only the rest of the time.
    const ms = Math.max(until - now(), 1)
    const native = isAway ? this.#native.within(limitsWithin(NO_LIMITS, { timeoutMs: ms })) : this.#native
    return native.take(policy, identifier, cost, undefined, HOW.take)
  }

  /** Gives back this process's share of an identifier's limit, which is about to change. Resolves once that is done. */
  #release(policy, identifier) {
    return partsOf(this).shared.shares?.release(policy, identifier)
  }

  async peek(policy, identifier, options) {
    const [limiter, { cost, limit }] = readCall(this, options, COST_OPTIONS)
    return limiter.#native.take(policy, identifier, cost, limit, HOW.peek)
  }

  async penalize(policy, identifier, options) {
    const [limiter, { cost, limit }] = readCall(this, options, COST_OPTIONS)
    // Otherwise what is given back later would be left over.
    await limiter.#release(policy, identifier)
    return limiter.#native.take(policy, identifier, cost, limit, HOW.drain)
  }

  async wait(policy, identifier, options) {
    const { cost, limit, timeoutMs = DEFAULT_WAIT_MS, signal } = ownOptions(options, WAIT_OPTIONS)
    assertMilliseconds(timeoutMs, 'timeoutMs', 0)
    const limiter = signal === undefined ? this : readCall(this, { signal }, NO_OPTIONS)[0]
    const limits = limitsOf(limiter)
    // A turn is given back whether or not its caller still waits.
    const native = this.#native.within(withoutSignals(limits))
    return waitForTurn({
      reserve: (ms) => native.take(policy, identifier, cost, limit, HOW.wait, Math.min(ms, LONGEST_WAIT_MS)),
      refund: (charge) => native.settle(policy, identifier, charge, 0),
      timeoutMs,
      limits,
      owner: partsOf(this).made.owner,
    })
  }

  async acquire(policy, identifier, options) {
    const [limiter] = readCall(this, options, NO_OPTIONS)
    const limits = limitsOf(limiter)
    const native = this.#native.within(withoutSignals(limits))
    // A slot is released whatever limits its acquire had.
    const owner = this.#native.within(NO_LIMITS)
    const taken = await undoIfAborted(
      limits,
      () => native.acquire(policy, identifier),
      ({ slot }) => slot !== null && owner.releaseSlot(slot),
    )
    return new Slot(owner, taken)
  }

  async checkAll(checks, options) {
    const [limiter] = readCall(this, options, NO_OPTIONS)
    if (!Array.isArray(checks)) throw argumentError(`checks must be an array, got ${describe(checks)}`)
    const fields = checks.flatMap((check, at) => {
      const own = ownOptions(check, ONE_OF_ALL, `checks[${at}].`)
      return ONE_OF_ALL.map((name) => own[name])
    })
    return limiter.#native.takeAll(fields)
  }

  async settle(policy, identifier, charge, actual, options) {
    const [limiter] = readCall(this, options, NO_OPTIONS)
    // A result has no charge if nothing was charged, for example while the store is unavailable.
    return limiter.#native.settle(policy, identifier, charge === undefined ? '' : charge, actual)
  }

  refund(policy, identifier, charge, options) {
    return this.settle(policy, identifier, charge, 0, options)
  }

  async block(policy, identifier, seconds, options) {
    const [limiter] = readCall(this, options, NO_OPTIONS)
    limiter.#release(policy, identifier)
    return limiter.#native.change(policy, identifier, 'block', seconds)
  }

  async unblock(policy, identifier, options) {
    const [limiter] = readCall(this, options, NO_OPTIONS)
    limiter.#release(policy, identifier)
    return limiter.#native.change(policy, identifier, 'unblock')
  }

  async reset(policy, identifier, options) {
    const [limiter] = readCall(this, options, NO_OPTIONS)
    limiter.#release(policy, identifier)
    return limiter.#native.change(policy, identifier, 'reset')
  }

  async override(policy, identifier, options) {
    const [limiter, { limit, ttlSeconds }] = readCall(this, options, OVERRIDE_OPTIONS)
    limiter.#release(policy, identifier)
    return limiter.#native.change(policy, identifier, 'override', ttlSeconds, limit)
  }

  async restore(policy, identifier, options) {
    const [limiter] = readCall(this, options, NO_OPTIONS)
    limiter.#release(policy, identifier)
    return limiter.#native.change(policy, identifier, 'restore')
  }

  stats() {
    partsOf(this).shared.shares?.flush()
    return this.#native.stats()
  }

  offenders(most = 10) {
    partsOf(this).shared.shares?.flush()
    return this.#native.offenders(most).map(([policy, identifier, refused]) => ({
      policy: policy === '' ? null : policy,
      identifier,
      refused,
    }))
  }

  headers(result, limit) {
    return limitHeaders(result, limit)
  }

  problem(result, options) {
    return limitProblem(result, options)
  }

  keyForRoute(ip, endpoint) {
    return routeKey(ip, endpoint, partsOf(this).shared.routePrefix)
  }
}

function sharesOn(owner, native, policies) {
  // A check by the embedded engine needs no round trip, and tests move its clock.
  if (policies.length === 0 || owner.describe().engine === 'memory') return undefined
  return new Shares(policies, {
    lease: (policy, identifier, wanted, least) => native.lease(policy, identifier, wanted, least),
    giveBack: (policy, identifier, charge, used) => native.giveBack(policy, identifier, charge, used),
    observe: (policy, identifier, allowed, refused, ms) => native.observe(policy, identifier, allowed, refused, ms),
    beforeDisconnect: (end) => beforeDisconnect(owner, end),
  })
}

function presetOf(preset) {
  if (typeof preset === 'string') {
    if (Object.hasOwn(PRESETS, preset)) return PRESETS[preset]
    throw argumentError(`unknown preset; known presets: ${Object.keys(PRESETS).join(', ')}`)
  }
  if (typeof preset === 'object' && preset !== null) {
    return ownOptions(preset, ['limit', 'windowSeconds'])
  }
  throw argumentError(`preset must be a name or { limit, windowSeconds }, got ${describe(preset)}`)
}

module.exports = { RateLimiter }
