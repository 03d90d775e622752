// 10,000 messages at once to a handler that is slow: every one comes, in order, or a gap says how many did not; and however much
// waits for the handler, memory is bounded.

import { scenario } from '../scenario.mjs'

// The server publishes them itself, so that nothing slows the burst down.
const BURST = `for i = 1, ARGV[1] do redis.call('PUBLISH', KEYS[1], '[' .. i .. ',"' .. string.rep('x', ARGV[2]) .. '"]') end`
const COUNT = 10_000

const about = {
  number: 26,
  name: '10,000 messages to a slow handler',
  short: true,
  peakMb: 100,
  // The handler is what holds the event loop up.
  lagMs: 500,
  // What the server holds for a subscriber is not what is tested here.
  server: { args: ['--client-output-buffer-limit', 'pubsub 0 0 0'] },
}

export default scenario(about, async (t) => {
  const service = await t.service({})
  const heard = []
  let missed = 0
  const slow = ([i]) => {
    heard.push(i)
    const until = performance.now() + (t.short ? 0.1 : 0.5)
    while (performance.now() < until);
  }
  const onGap = (gap) => {
    t.check(Number.isInteger(gap.missed), `a gap without a lost connection was told as ${JSON.stringify(gap)}`)
    missed += Number(gap.missed)
  }
  await service.subscribe('burst', slow, { onGap })

  // Small ones, and then as many of 10 kB: 100 MB altogether.
  for (const size of [10, 10_000]) {
    heard.length = missed = 0
    await t.server.command('EVAL', BURST, 1, 'burst', COUNT, size)
    await t.until('all have come', () => heard.length + missed >= COUNT, { withinMs: 30_000 })
    const sorted = heard.every((i, at) => at === 0 || i > heard[at - 1])
    t.note(`${size} bytes: ${heard.length} heard, ${missed} told missing`)
    t.check(sorted, `messages of ${size} bytes came out of order or twice`)
    t.check(heard.length + missed === COUNT, `${heard.length} of ${COUNT} came, ${missed} were told missing`)
  }
})
