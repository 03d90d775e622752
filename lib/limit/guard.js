'use strict'

const { allowsFallback, argumentError } = require('../error.js')
const { RateLimiter } = require('../limit.js')
const { partsOf } = require('../limitable.js')
const { assertFunction, describe, describeNumber, ownOptions } = require('../options.js')
const { assertTtl } = require('../ttl.js')
const { clientIp, fixedOptions, peerOf } = require('./client-ip.js')
const { limitHeaders } = require('./headers.js')
const { limitProblem } = require('./problem.js')

const OPTIONS = ['limiter', 'policy', 'cost', 'count', 'identify', 'clientIp', 'skip', 'onRefused', 'draft']
const FUNCTIONS = ['identify', 'skip', 'onRefused']
const COUNTS = ['all', 'failures']
const FIRST_FAILURE = 400
// All whose address is not known share a limit.
const UNKNOWN = 'unknown'
const PASSED = { headers: {}, settle: async () => {} }

/** What stands in front of handlers, for `admit`. `others` are names of options that something else reads. */
function guardOptions(options, others = []) {
  const { limiter = RateLimiter, ...own } = ownOptions(options, [...OPTIONS, ...others])
  for (const name of FUNCTIONS) if (own[name] !== undefined) assertFunction(own[name], name)
  const { count = 'all' } = own
  if (!COUNTS.includes(count)) throw argumentError(`count must be 'all' or 'failures', got ${describe(count)}`)
  const guard = { ...own, clientIp: fixedOptions(own.clientIp), limiter, count, ...limitOf(limiter, own.policy) }
  if (!guard.isNamed && (count !== 'all' || own.cost !== undefined))
    throw argumentError('count and cost need a limiter with policies')
  if (own.cost !== undefined) assertWhole(own.cost, 'cost', 0)
  // Throws for a draft that does not exist.
  limitHeaders({ allowed: true, remaining: 0 }, formOf(guard))
  return guard
}

/** The name and the window of the limit, as headers say them; whether it is a policy. */
function limitOf(limiter, policy) {
  if (limiter === RateLimiter) return presetOf(policy)
  if (!(limiter instanceof RateLimiter)) throw argumentError(`limiter must be a RateLimiter, got ${describe(limiter)}`)
  const { hasPolicies, windows, concurrent } = partsOf(limiter).shared
  if (!hasPolicies) return presetOf(policy)
  if (typeof policy !== 'string') throw argumentError(`policy must be the name of a policy, got ${describe(policy)}`)
  if (!windows.has(policy))
    throw argumentError(`the limiter has no policy of that name; it has ${[...windows.keys()].join(', ')}`)
  if (concurrent.has(policy))
    throw argumentError('a policy of algorithm concurrency limits what runs at the same time: use acquire')
  return { isNamed: true, name: policy, windowSeconds: windows.get(policy) }
}

function presetOf(policy = 'DEFAULT') {
  const known = typeof policy === 'string' && Object.hasOwn(RateLimiter.presets, policy)
  if (known)
    return { isNamed: false, preset: policy, name: policy, windowSeconds: RateLimiter.presets[policy].windowSeconds }
  const preset = ownOptions(policy, ['limit', 'windowSeconds'], 'policy.')
  assertWhole(preset.limit, 'policy.limit', 1)
  assertTtl(preset.windowSeconds, 'policy.windowSeconds')
  return { isNamed: false, preset, name: 'default', windowSeconds: preset.windowSeconds }
}

function assertWhole(value, name, least) {
  if (Number.isSafeInteger(value) && value >= least) return
  throw argumentError(`${name} must be a whole number from ${least} to 2^53 - 1, got ${describeNumber(value)}`)
}

function formOf({ draft, name, windowSeconds }) {
  return { draft, name, windowSeconds }
}

/**
 * Counts a request: `{ headers, settle }`, the headers of its response and what to call with its status; or `{ refusal }`, the response to one
 * that is refused: `{ status, headers, body }`. `args` are what the functions among the options get, and `remoteAddress` is the address of
 * the connection where the request does not have it.
 */
async function admit(guard, request, { args = [request], remoteAddress = peerOf(request) } = {}) {
  // The address is read before anything is awaited: the socket of a closed connection has none, and clients would choose when to close it.
  if (await guard.skip?.(...args)) return PASSED
  const identifier = (await guard.identify?.(...args)) ?? addressOf(guard, request, remoteAddress)
  let result
  try {
    result = await check(guard, identifier)
  } catch (error) {
    if (!allowsFallback(error)) throw error
    return { refusal: unavailable() }
  }
  // Refused without counting, by `onUnavailable: 'deny'`: it may be allowed as soon as the store is back.
  if (!result.allowed && result.source === 'fallback') return { refusal: unavailable() }
  if (!result.allowed) return { refusal: limitProblem(result, formOf(guard)), result }
  return { headers: limitHeaders(result, formOf(guard)), settle: (status) => settle(guard, identifier, result, status) }
}

function check({ limiter, isNamed, name, preset, cost, count }, identifier) {
  if (!isNamed) return limiter.check(identifier, preset)
  return limiter.check(name, identifier, { cost, refundable: count === 'failures' })
}

// The response is sent whether or not this succeeds.
async function settle({ limiter, name }, identifier, { charge }, status) {
  if (charge === undefined || status >= FIRST_FAILURE) return
  try {
    await limiter.refund(name, identifier, charge)
  } catch {
    // What was counted stays so, as for a failure.
  }
}

function addressOf(guard, request, remoteAddress) {
  const options = { ...guard.clientIp }
  options.remoteAddress ??= remoteAddress ?? null
  return clientIp(request, options) ?? UNKNOWN
}

// With `onUnavailable` `'throw'` or `'deny'`.
function unavailable() {
  const problem = {
    type: 'about:blank',
    title: 'Service Unavailable',
    status: 503,
    detail: 'Requests cannot be counted at the moment.',
  }
  const headers = { 'Content-Type': 'application/problem+json', 'Retry-After': '1' }
  return { status: 503, headers, body: JSON.stringify(problem) }
}

module.exports = { admit, guardOptions }
