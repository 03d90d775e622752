// One of many: replies once, then makes calls until it gets a message or is terminated.

import { parentPort } from 'node:worker_threads'

import { redisService } from 'cinnabar'

let over = false
parentPort.once('message', () => {
  over = true
})

await redisService.connect()
parentPort.postMessage(await redisService.getClient().incr('workers'))
while (!over) await Promise.all(Array.from({ length: 20 }, () => redisService.get('workers')))
