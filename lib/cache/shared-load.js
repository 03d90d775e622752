'use strict'

const { every, later, now } = require('../clock.js')

// A process that ends while it loads is noticed after this time, and another one loads.
const CLAIM_MS = 3000
const RENEW_EVERY_MS = 1000
// How soon a process that waits looks again: at first, and at the latest.
const FIRST_WAIT_MS = 5
const LONGEST_WAIT_MS = 100

/**
 * Waits until another process has loaded a key, or it is this one's turn to load it. Resolves to the entry that `native.find` returned if its
 * `state` is 'hit'. Otherwise this process loads: with the `lease` that `open` has opened, and calls `end` after the load, with whether it has no
 * value. Neither is set if the process has waited in vain, for `patienceMs` or for a load without a value: then it loads without a claim.
 */
async function turnToLoad(native, key, open, patienceMs) {
  const [token, until] = [crypto.randomUUID(), now() + patienceMs]
  let [waitedFor, wait] = ['', FIRST_WAIT_MS]
  for (;;) {
    const claim = await native.claim(key, token, CLAIM_MS, waitedFor)
    if (claim === token) return claimed(native, key, token, open)
    if (claim === null || now() >= until) return {}
    waitedFor = claim
    await pause(wait * (0.5 + Math.random() / 2))
    wait = Math.min(wait * 2, LONGEST_WAIT_MS)
    const found = await native.find(key)
    if (found.state === 'hit') return found
  }
}

/**
 * Claims the load that replaces a value which is fresh for `freshMs` more milliseconds. Resolves to what is to be called after it, with
 * whether it has no value, or to `undefined` if another process has the claim or has replaced the value already.
 */
async function claimReplacement(native, key, freshMs) {
  const token = crypto.randomUUID()
  if ((await native.claim(key, token, CLAIM_MS, '')) !== token) return undefined
  const end = whileClaimed(native, key, token)
  try {
    const seconds = await native.ttl(key)
    if (seconds !== null && seconds * 1000 <= freshMs) return end
  } catch (error) {
    end(true)
    throw error
  }
  end(false)
  return undefined
}

async function claimed(native, key, token, open) {
  const end = whileClaimed(native, key, token)
  try {
    // Another process may have stored a value since this one has read.
    const found = await native.find(key)
    if (found.state !== 'hit') return { lease: await open(), end }
    end(false)
    return found
  } catch (error) {
    end(true)
    throw error
  }
}

/** Renews a claim until the returned function ends it. */
function whileClaimed(native, key, token) {
  const stop = every(RENEW_EVERY_MS, () => native.renewClaim(key, token, CLAIM_MS).catch(nothing), false)
  let ended = false
  return (isEmpty) => {
    if (ended) return
    ended = true
    stop()
    native.endClaim(key, token, isEmpty).catch(nothing)
  }
}

// The callers that wait keep the process alive.
function pause(ms) {
  return new Promise((resolve) => later(ms, resolve, false))
}

function nothing() {}

module.exports = { claimReplacement, turnToLoad }
