'use strict'

const { throwIfAborted, whenAborted } = require('../call-limits.js')
const { later, now } = require('../clock.js')
const { keepAlive } = require('../keep-alive.js')

/**
 * Waits until hits are allowed, for at most `timeoutMs`. `reserve(ms)` charges them if their turn comes within that time, and resolves
 * to the result with the time until then; `refund(charge)` gives a turn back. A limit without turns refuses, and is asked again when
 * it can allow the hits.
 */
async function waitForTurn({ reserve, refund, timeoutMs, limits, owner }) {
  const until = now() + timeoutMs
  for (;;) {
    throwIfAborted(limits)
    const left = Math.max(0, Math.floor(until - now()))
    const result = await reserve(left)
    const { allowed, retryAfterMs, charge } = result
    if (allowed && retryAfterMs === 0) return result
    // It might be refused again if others are asking, but never too late.
    if (!allowed && !(retryAfterMs <= until - now())) return result
    try {
      await sleep(retryAfterMs, limits, owner)
    } catch (error) {
      if (allowed && charge) refund(charge).catch(() => {})
      throw error
    }
    if (allowed) return { ...result, retryAfterMs: 0 }
  }
}

function sleep(ms, { signals }, owner) {
  return new Promise((resolve, reject) => {
    const ends = []
    const end = (settle, value) => {
      ends.forEach((end) => end())
      settle(value)
    }
    ends.push(keepAlive(owner))
    ends.push(later(ms, () => end(resolve), false))
    ends.push(whenAborted(signals, (error) => end(reject, error)))
  })
}

module.exports = { waitForTurn }
