// Loads the addon in many worker threads. Half of them end by themselves, the others are ended in the middle of a call.
// Prints how many succeeded, and what a check of the server after it all says.

import { Worker } from 'node:worker_threads'

import { redisService } from 'cinnabar'

import { live } from './threads.mjs'

const total = 50
let settled = 0

await redisService.set('workers', '0')
for (let first = 0; first < total; first += 10) {
  await Promise.all(Array.from({ length: 10 }, (_, i) => work(first + i)))
}
const clients = (await redisService.getClient().info('clients')).match(/connected_clients:(\d+)/)
console.log(
  JSON.stringify({ settled, counted: await redisService.get('workers'), clients: clients && Number(clients[1]) }),
)

function work(number) {
  return live(new Worker(new URL('worker.mjs', import.meta.url)), number, () => settled++)
}
