// Many callers, each with keys and values of its own, so that a result meant for another is seen at once.

import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'

import { GRACE } from '../calls.mjs'

/**
 * Runs `count` loops of `turn(me, n)`, with a rest of `restMs` after each turn, until the signal ends them. `me` is `{ caller, unique(), pick(list) }`. Resolves when all
 * have come to an end, or when one that hangs should have.
 */
export async function callers({ count, signal, timeoutMs, restMs = 0, random = Math.random }, turn) {
  const loops = Array.from({ length: count }, async (_, caller) => {
    const me = {
      caller,
      unique: () => `${caller}:${randomUUID()}`,
      pick: (list) => list[Math.floor(random() * list.length)],
    }
    // They begin at different turns, so that at any time all kinds of calls are under way.
    for (let n = caller; !signal.aborted; n++) {
      await turn(me, n)
      if (restMs > 0) await delay(restMs)
    }
  })
  await Promise.race([Promise.all(loops), ended(signal).then(() => delay(timeoutMs + GRACE + 1000))])
}

const ended = async (signal) =>
  signal.aborted || new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
