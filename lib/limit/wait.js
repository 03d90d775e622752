'use strict'

const { undoIfAborted } = require('../call-limits.js')
const { now } = require('../clock.js')
const { CinnabarError } = require('../error.js')
const { keepAlive } = require('../keep-alive.js')
const { pause } = require('../pause.js')

/**
 * Waits until hits are allowed, for at most `timeoutMs`. `reserve(ms)` charges them if their turn comes within that time, and resolves
 * to the result with the time until then; `refund(charge)` gives a turn back. A limit without turns refuses, and is asked again when
 * it can allow the hits.
 */
async function waitForTurn({ reserve, refund, timeoutMs, limits, owner }) {
  const until = now() + timeoutMs
  const giveBack = ({ allowed, charge }) => allowed && charge && refund(charge)
  for (;;) {
    const left = Math.max(0, Math.floor(until - now()))
    const result = await undoIfAborted(limits, () => reserve(left), giveBack)
    const { allowed, shadowDenied, retryAfterMs } = result
    if (allowed && (shadowDenied || retryAfterMs === 0)) return { ...result, retryAfterMs: 0 }
    if (!allowed && !(retryAfterMs <= until - now())) throw noTurn(timeoutMs, retryAfterMs)
    try {
      await pause(retryAfterMs, limits, () => keepAlive(owner))
    } catch (error) {
      Promise.resolve(giveBack(result)).catch(() => {})
      throw error
    }
    if (allowed) return { ...result, retryAfterMs: 0 }
  }
}

function noTurn(timeoutMs, retryAfterMs) {
  const next = Number.isFinite(retryAfterMs) ? `the next one is in ${retryAfterMs} ms` : 'its cost is above the limit'
  return new CinnabarError(`no turn within timeoutMs (${timeoutMs} ms): ${next}; nothing was counted`, {
    code: 'E_TIMEOUT',
    retryable: Number.isFinite(retryAfterMs),
  })
}

module.exports = { waitForTurn }
