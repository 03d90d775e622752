'use strict'

const { NO_LIMITS } = require('../call-limits.js')
const { argumentError } = require('../error.js')
const { isArray } = require('../options.js')
const { nearTierOn } = require('../near/tier-on.js')
const { pause } = require('../pause.js')

const MAX_BYTES = 64 * 1024 * 1024

const always = () => true

/** By the native call: whether one with these arguments ends a session or a validated user, perhaps by its result. `isLimited`: a sign-in may. */
const endingsOf = (isLimited) => ({
  destroy: always,
  destroyByTag: always,
  destroyOf: always,
  invalidateToken: always,
  invalidateUser: always,
  create: () => isLimited,
  issue: () => (issued) => issued?.ended.length > 0,
  rotate: (_, graceSeconds) => graceSeconds === 0,
  update: (_, changes, options) => isOfUser(changes) || (isArray(options?.remove) && options.remove.includes('userId')),
})

// Whether changes may give a session to another user.
function isOfUser(changes) {
  try {
    return Object.hasOwn(changes, 'userId')
  } catch {
    return true
  }
}

/** Throws if what the option `near` says does not fit together. */
function assertNear(near) {
  if (near?.mode === 'strict' && near.maxStalenessMs !== undefined) {
    throw argumentError("near.maxStalenessMs is fixed with near.mode 'strict', since all processes must agree on it")
  }
}

/** The near tiers of a manager: of its sessions, and of the users of tokens. */
function nearTiersOn(service, native, near) {
  // Each has half of the bytes.
  const half = { maxBytes: (near.maxBytes ?? MAX_BYTES) / 2 }
  const users = {
    nearCopy: (...args) => native.nearUser(...args),
    nearWords: () => native.nearWords(),
    nearTime: () => native.nearTime(),
  }
  return { sessions: nearTierOn(service, native, half), users: nearTierOn(service, users, half) }
}

/** A native object whose calls that end something resolve only when no process can have it near any more. */
function strictly(native, isLimited) {
  const ending =
    (name, ends) =>
    async (...args) => {
      const hasEnded = ends(...args)
      const result = await native[name](...args)
      // Not sooner if the call is aborted or its time is over: it has been done.
      const lapse = (typeof hasEnded === 'function' ? hasEnded(result) : hasEnded) ? native.nearLapseMs() : 0
      if (lapse > 0) await pause(lapse, NO_LIMITS)
      return result
    }
  const own = Object.fromEntries(Object.entries(endingsOf(isLimited)).map(([name, ends]) => [name, ending(name, ends)]))
  own.within = (limits) => strictly(native.within(limits), isLimited)
  return new Proxy(native, { get: (target, name) => own[name] ?? target[name].bind(target) })
}

module.exports = { assertNear, nearTiersOn, strictly }
