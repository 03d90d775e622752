'use strict'

const { NO_LIMITS } = require('../call-limits.js')
const { argumentError } = require('../error.js')
const { nearTierOn } = require('../near/tier-on.js')
const { pause } = require('../pause.js')

const MAX_BYTES = 64 * 1024 * 1024
// What ends sessions or validated users.
const ENDINGS = ['destroy', 'destroyByTag', 'destroyOf', 'invalidateToken', 'invalidateUser']

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
function strictly(native) {
  const ending =
    (name) =>
    async (...args) => {
      const result = await native[name](...args)
      // Not sooner if the call is aborted: it has been done.
      const lapse = native.nearLapseMs()
      if (lapse > 0) await pause(lapse, NO_LIMITS)
      return result
    }
  const own = Object.fromEntries(ENDINGS.map((name) => [name, ending(name)]))
  own.within = (limits) => strictly(native.within(limits))
  return new Proxy(native, { get: (target, name) => own[name] ?? target[name].bind(target) })
}

module.exports = { assertNear, nearTiersOn, strictly }
