// Many callers, each with keys and values that nobody else has, so that an answer meant for another is seen at once.

import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Runs `callers` loops until the signal ends them, each over `kinds` in turn: functions of
 * `{ caller, keys, values, unique }` that answer how many calls they made, or throw a `Wrong`. Answers
 * `{ calls, wrong, failed, unsettled, slowestMs }`: `failed` counts errors by their code.
 */
export async function call(kinds, { callers = 64, keysOf, signal, settleMs = 6000 }) {
  const total = { calls: 0, wrong: [], failed: {}, unsettled: 0, slowestMs: 0, examples: [] }
  const open = new Set()
  const loops = Array.from({ length: callers }, async (_, caller) => {
    const me = { caller, keys: keysOf(caller), values: new Map(), unique: () => `${caller}:${randomUUID()}` }
    for (let turn = caller; !signal.aborted; turn++) {
      const call = { began: performance.now() }
      open.add(call)
      try {
        total.calls += await kinds[turn % kinds.length](me)
      } catch (error) {
        if (error instanceof Wrong) total.wrong.push(error.message)
        else {
          const code = error.code ?? error.name
          total.failed[code] = (total.failed[code] ?? 0) + 1
          if (total.examples.length < 5) total.examples.push(`${code}: ${error.message}`)
        }
        // A failure that comes at once must not keep the others from running.
        await delay(1)
      }
      open.delete(call)
      total.slowestMs = Math.max(total.slowestMs, performance.now() - call.began)
    }
  })
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  await Promise.race([Promise.all(loops), delay(settleMs)])
  total.unsettled = open.size
  return total
}

/** An answer that is not what it must be. */
export class Wrong extends Error {}

/** Throws a `Wrong` unless the answer is this one. */
export function expect(what, answer, wanted) {
  if (answer !== wanted)
    throw new Wrong(`${what} answered ${JSON.stringify(answer)} instead of ${JSON.stringify(wanted)}`)
}
