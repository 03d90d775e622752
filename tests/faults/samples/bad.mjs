// A scenario in which everything goes wrong that is to be noticed.

import { scenario } from '../scenario.mjs'

globalThis.kept = []

export default scenario({ number: 0, name: 'bad', engine: 'none' }, async (t) => {
  const make = (name, action, options) => t.calls.make(name, action, { timeoutMs: 50, ...options })
  await make('the right one', async () => 'mine', { right: (value) => value === 'mine' })
  await make('the wrong one', async () => 'theirs', { right: (value) => value === 'mine' })
  await make('the late one', () => t.sleep(1500))
  await make('the odd one', () => Promise.reject(new Error('no code')))
  void make('the lost one', () => new Promise(() => {}))
  for (let i = 0; i < 30; i++) {
    globalThis.kept.push(Buffer.alloc(2 << 20, 1))
    // Of the processor: time in which other programs have it does not count.
    const until = usedMs() + 60
    while (usedMs() < until);
    await t.sleep(1)
  }
})

function usedMs() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
