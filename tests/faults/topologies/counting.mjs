// INCR and GET at a steady rate, with the books kept: which calls were applied, which may have been, and when none could be.

import { setTimeout as delay } from 'node:timers/promises'

/** What a failed call says of itself: `applied` never, or perhaps. A code that says neither counts as perhaps. */
const NEVER = new Set(['E_UNAVAILABLE', 'E_NOT_SENT', 'E_BACKPRESSURE'])

/**
 * Starts the load: `perSecond` calls, every other one an INCR, over all keys in turn, whether or not earlier ones have been
 * answered. `client` has `incr(key)` and `get(key)`; each key must not exist yet.
 *
 * `stop()` ends it and answers when every call is settled, or names those that are not `settleMs` later:
 *
 * - `calls`, `ok`, `failed` (by code), `maybe`: INCRs that may have been applied without an answer
 * - `wrong`: answers that no order of the calls explains
 * - `unsettled`, `slowestMs`
 * - `lastFailure(keys)`: when the last call to one of these keys began that failed, by `performance.now()`
 */
export function countSteadily(client, { keys, perSecond = 200, settleMs = 6000 }) {
  const books = new Map(keys.map((key) => [key, { begun: 0, ok: 0, maybe: 0 }]))
  const calls = []
  const wrong = []
  const open = new Set()
  const started = performance.now()
  let issued = 0
  let running = true

  async function one(kind, key) {
    const book = books.get(key)
    const call = { kind, key, began: performance.now(), failed: undefined }
    calls.push(call)
    open.add(call)
    const least = book.ok
    if (kind === 'incr') book.begun++
    try {
      const value = Number(await client[kind](key))
      if (kind === 'incr') book.ok++
      // What was answered before this call began is in it; what had not begun when it ended is not.
      const enough = kind === 'incr' ? least + 1 : least
      if (!(value >= enough && value <= book.begun)) {
        wrong.push(`${kind} ${key} answered ${value}, allowed was ${enough} to ${book.begun}`)
      }
    } catch (error) {
      call.failed = error.code ?? error.message
      if (kind === 'incr' && !NEVER.has(error.code)) book.maybe++
    }
    call.ended = performance.now()
    open.delete(call)
  }

  const ticking = (async () => {
    while (running) {
      const due = ((performance.now() - started) * perSecond) / 1000
      for (; issued < due; issued++) {
        const turn = Math.floor(issued / 2)
        void one(issued % 2 ? 'get' : 'incr', keys[turn % keys.length])
      }
      await delay(5)
    }
  })()

  return {
    get issued() {
      return issued
    },
    /** Calls that were answered, or failed, since then. */
    since: (moment) => calls.filter(({ began }) => began >= moment),
    async stop() {
      running = false
      await ticking
      for (const deadline = Date.now() + settleMs; open.size && Date.now() < deadline;) await delay(10)
      const failed = {}
      for (const call of calls) if (call.failed) failed[call.failed] = (failed[call.failed] ?? 0) + 1
      return {
        calls: calls.length,
        ok: calls.filter((call) => call.ended && !call.failed).length,
        failed,
        maybe: [...books.values()].reduce((sum, book) => sum + book.maybe, 0),
        wrong,
        unsettled: open.size,
        slowestMs: Math.max(...calls.map((call) => (call.ended ?? performance.now()) - call.began)),
        lastFailure: (some) =>
          Math.max(0, ...calls.filter((call) => call.failed && some.includes(call.key)).map(({ began }) => began)),
        /** The counters whose value, as `read(key)` answers it, is not explained by what was answered. */
        async misses(read) {
          const missed = []
          for (const [key, { ok, maybe }] of books) {
            const value = Number((await read(key)) ?? 0)
            if (value < ok || value > ok + maybe) missed.push(`${key} is ${value}: ${ok} answered, ${maybe} flagged`)
          }
          return missed
        },
      }
    },
  }
}
