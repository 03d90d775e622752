// A room through every kind of fault: each listener hears every message once and in order, or a gap where one is missing.

import { everyFault } from '../jobs/faults.mjs'
import { scenario } from '../scenario.mjs'

const about = { number: 47, name: 'a room under network faults', short: true, limitMs: 180_000 }

export default scenario(about, async (t) => {
  const sending = await t.service({ url: t.server.url })
  const rooms = new t.cinnabar.RealtimeDataManager(sending)
  const listening = await t.service({ timeoutMs: 1000, keepAliveMs: 500 })
  const hearing = new t.cinnabar.RealtimeDataManager(listening)
  const heard = [[], []]
  for (const list of heard) {
    await hearing.listen('faults', ({ n, seq }) => list.push({ n, seq }), {
      onGap: ({ missed }) => list.push({ missed }),
    })
  }
  let sent = 0
  let running = true
  const send = async () => {
    while (running) {
      await t.call(sending, 'send', () => rooms.send('faults', { n: sent }))
      sent++
      await t.sleep(10)
    }
  }
  const sender = send()
  const last = (list) => list.findLast(({ n }) => n !== undefined)?.n ?? -1
  const caughtUp = async (name) => {
    const from = performance.now()
    const goal = sent
    await t.until(`${name}: messages come again`, () => heard.every((list) => last(list) >= goal), { withinMs: 6000 })
    t.healMs = Math.max(t.healMs ?? 0, performance.now() - from)
  }
  // A fault shorter than a hundred messages hides nothing; a longer one must be reported.
  const kinds = await everyFault(t, { ms: t.short ? 500 : 3000, healed: caughtUp })
  running = false
  await sender
  await t.until('the last message has come', () => heard.every((list) => last(list) === sent - 1))
  const missing = heard.map((list) => countMissing(t, list, sent))
  t.note(`${kinds} kinds of fault, ${sent} messages; reported missing: ${missing.join(' and ')}`)
})

/** Checks the order, and that whatever is missing was reported where it is missing; returns how many were. */
function countMissing(t, list, sent) {
  let next = 0
  let missing = 0
  let gap = false
  for (const { n, missed } of list) {
    if (missed !== undefined) {
      gap = true
      continue
    }
    if (n < next) t.check(false, `message ${n} came when ${next} was awaited`)
    if (n > next && !gap) {
      t.calls.wrong++
      t.check(false, `message ${n} came when ${next} was awaited, and nothing was said of a gap`)
    }
    missing += Math.max(0, n - next)
    next = n + 1
    gap = false
  }
  t.check(next === sent, `the last of ${sent} messages was ${next - 1}`)
  return missing
}
