// Loads the addon in worker threads only, never here: the thread that has loaded it first ends before all others.
// Prints how many succeeded. The first argument says how many are started.

import { Worker } from 'node:worker_threads'

import { live } from './threads.mjs'

const total = Number(process.argv[2])
let settled = 0

// One after the other first: the system gives the second one the place of the first.
for (let number = 0; number < 4; number++) await work(number)
// Then one that is at work while the others come and go.
const busy = start('busy')
await new Promise((resolve) => busy.once('message', resolve))
let next = 4
await Promise.all(
  Array.from({ length: 8 }, async () => {
    while (next < total) await work(next++)
  }),
)
const worked = new Promise((resolve) => busy.once('message', resolve))
busy.postMessage('end')
console.log(JSON.stringify({ settled, worked: (await worked) > 0 }))

function work(number) {
  return live(start('once'), number, () => settled++)
}

function start(workerData) {
  return new Worker(new URL('stranger.mjs', import.meta.url), { workerData })
}
