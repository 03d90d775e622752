'use strict'

const { randomUUID } = require('node:crypto')

const { every, later, now } = require('../clock.js')

// A process that ends while it loads is noticed after this time, and another one loads.
const CLAIM_MS = 3000
const RENEW_EVERY_MS = 1000
// How soon a process that waits looks again: at first, and at the latest.
const FIRST_WAIT_MS = 5
const LONGEST_WAIT_MS = 100

/**
 * Waits until another process has loaded a key, or this one is to load it. Resolves to `{ value }`, or to `{ found, end }`: the result of `begin`,
 * which opens a lease for the load, and a function to call after the load, with whether there is no value. Neither is there if this process has
 * waited in vain, for `patienceMs` or for a load without a value: it loads without a claim.
 */
async function turnToLoad(native, key, begin, patienceMs) {
  const [token, until] = [randomUUID(), now() + patienceMs]
  let [waitedFor, wait] = ['', FIRST_WAIT_MS]
  for (;;) {
    const claim = await native.claim(key, token, CLAIM_MS, waitedFor)
    if (claim === token) return claimed(native, key, token, begin)
    if (claim === null || now() >= until) return {}
    waitedFor = claim
    await pause(wait * (0.5 + Math.random() / 2))
    wait = Math.min(wait * 2, LONGEST_WAIT_MS)
    const found = await native.find(key)
    if (found.state === 'hit') return found
  }
}

async function claimed(native, key, token, begin) {
  const stop = every(RENEW_EVERY_MS, () => native.renewClaim(key, token, CLAIM_MS).catch(nothing), false)
  const end = (failed) => {
    stop()
    native.endClaim(key, token, failed).catch(nothing)
  }
  try {
    // Another process may have stored a value since this one has read.
    const found = await begin()
    if (found.state !== 'hit') return { found, end }
    end(false)
    return found
  } catch (error) {
    end(true)
    throw error
  }
}

// The callers that wait keep the process alive.
function pause(ms) {
  return new Promise((resolve) => later(ms, resolve, false))
}

function nothing() {}

module.exports = { turnToLoad }
