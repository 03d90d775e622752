// A pool whose threads retire when they have had nothing to do for a moment. This thread never loads the addon.

import Piscina from 'piscina'

const pool = new Piscina({
  filename: new URL('task.mjs', import.meta.url).href,
  minThreads: 0,
  maxThreads: 3,
  idleTimeout: 20,
  // With Atomics, Piscina reads a result that is there in the very tick in which it gives the task, and then clears the timer
  // that would retire the thread.
  atomics: 'disabled',
})
let settled = 0
for (let round = 0; round < 8; round++) {
  const results = await Promise.all(Array.from({ length: 6 }, (_, n) => pool.run(n)))
  settled += results.filter((length) => length === 5000).length
  while (pool.threads.length > 0) await new Promise((resolve) => setTimeout(resolve, 5))
}
await pool.destroy()
console.log(JSON.stringify({ settled }))
