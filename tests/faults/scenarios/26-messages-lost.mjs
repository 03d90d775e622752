// The connection of a subscription is gone for 5 s, cut or silent: listeners are notified that messages may be missing, before the
// next one comes, and nothing is missing unreported.

import { scenario } from '../scenario.mjs'

/** What a subscriber heard, gaps among the messages. */
async function listen(t, service, channel, options) {
  const heard = []
  await service.subscribe(channel, (value) => heard.push(value), {
    ...options,
    onGap: (gap) => {
      heard.push('gap')
      t.check(gap?.missed === 'unknown', `a gap was reported as ${JSON.stringify(gap)}`)
    },
  })
  return heard
}

export default scenario({ number: 26, name: 'messages lost', short: true, limitMs: 90_000 }, async (t) => {
  const service = await t.service({ keepAliveMs: 500, timeoutMs: 2000 })
  const publisher = await t.service({ url: t.server.url })
  const lists = {
    channel: await listen(t, service, 'news'),
    pattern: await listen(t, service, 'n?ws', { pattern: true }),
    other: await listen(t, service, 'news'),
  }
  let sent = 0
  let running = true
  const publish = async () => {
    while (running) {
      await t.call(publisher, 'publish', () => publisher.publish('news', ++sent))
      await t.sleep(2)
    }
  }
  const publishing = publish()
  const last = (heard) => heard.findLast((one) => one !== 'gap') ?? 0
  const caughtUp = (what) => {
    const from = sent + 100
    const reached = () => Object.values(lists).every((heard) => last(heard) > from)
    return t.until(what, reached, { withinMs: 6000 })
  }
  await caughtUp('messages come')

  const faults = {
    cut: async () => {
      await t.proxy.refuse()
      await t.proxy.reset()
    },
    silent: () => t.proxy.silent(),
  }
  for (const [name, fault] of Object.entries(faults)) {
    const gaps = () => Object.values(lists).map((heard) => heard.filter((one) => one === 'gap').length)
    const before = gaps()
    await fault()
    // Long enough for a silent connection to be found out: a PING after 500 ms, and its reply that does not come.
    await t.sleep(t.short ? (name === 'cut' ? 1000 : 2000) : 5000)
    const missed = sent - last(lists.channel)
    t.check(missed > 50, `${name}: only ${missed} messages were published meanwhile`)
    await t.heal()
    const [from, healed] = [sent, performance.now()]
    await t.until(`${name}: messages come again`, () => last(lists.channel) > from, { withinMs: 4000 })
    t.healMs = Math.max(t.healMs ?? 0, performance.now() - healed)
    await caughtUp(`${name}: messages go on coming`)
    const reported = gaps().map((count, i) => count - before[i])
    t.check(
      reported.every((count) => count === 1),
      `${name}: gaps were reported ${reported.join(', ')} times instead of once each`,
    )
  }
  running = false
  await publishing
  const all = () => Object.values(lists).every((heard) => last(heard) === sent)
  await t.until('the last message has come', all)
  for (const [name, heard] of Object.entries(lists)) t.check(!holes(heard), `${name}: ${holes(heard)}`)
  t.note(`${sent} messages; ${lists.channel.length - 2} heard`)
})

/** What is missing, twice or out of order without a gap between, in words. */
function holes(heard) {
  let before = heard[0] - 1
  let gap = false
  for (const one of heard) {
    if (one === 'gap') {
      gap = true
      continue
    }
    if (one <= before) return `${one} came after ${before}`
    if (one !== before + 1 && !gap) return `${one} came after ${before}, and nothing was said of a gap`
    before = one
    gap = false
  }
}
