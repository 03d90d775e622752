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
  server: { args: ['--client-output-buffer-limit', 'pubsub', '0', '0', '0'] },
}

export default scenario(about, async (t) => {
  const service = await t.service({})
  let heard = []
  const slow = ([i]) => {
    heard.push({ i })
    const until = performance.now() + (t.short ? 0.1 : 0.5)
    while (performance.now() < until);
  }
  await service.subscribe('burst', slow, { onGap: (gap) => heard.push(gap) })

  // Small ones, and then as many of 10 kB: 100 MB altogether.
  for (const size of [10, 10_000]) {
    heard = []
    await t.server.command('EVAL', BURST, 1, 'burst', COUNT, size)
    const last = () => heard.reduce((before, { i, missed }) => i ?? before + missed, 0)
    await t.until('all have come or are reported missing', () => last() >= COUNT, { withinMs: 30_000 })
    // Where messages are missing, a gap says how many.
    let before = 0
    for (const { i, missed } of heard) {
      if (missed) t.check(Number.isInteger(missed), `a gap without a lost connection was reported as ${missed}`)
      else t.check(i === before + 1, `message ${i} of ${size} bytes came after ${before}`)
      before = i ?? before + missed
    }
    const messages = heard.filter(({ i }) => i).length
    t.check(before === COUNT, `of ${COUNT} messages of ${size} bytes the last one was ${before}`)
    t.check(size > 10 || messages === COUNT, `${messages} of ${COUNT} small messages came`)
    t.note(`${size} bytes: ${messages} received, ${COUNT - messages} reported missing`)
  }
})
