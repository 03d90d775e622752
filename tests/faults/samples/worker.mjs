// A worker as a process of its own, which writes down when each job began and ended in it:
//
//   node worker.mjs <url> <file> '{ "queue": {…}, "process": {…}, "workMs": 2 }'

import { openSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

import { JobQueue, RedisService } from 'cinnabar'

const [, , url, file, text] = process.argv
const options = JSON.parse(text)
const log = openSync(file, 'a')
// A clock that all processes of a machine share, in microseconds; one write a line, so that no two lines mix.
const say = (what, job) =>
  writeSync(log, `${what} ${process.hrtime.bigint() / 1000n} ${process.pid} ${job.id} ${job.group ?? ''}\n`)

const service = new RedisService({ url, log: false, ...options.service })
const queue = new JobQueue('proof', { service, ...options.queue })
// It has no console to say this on, and the server's absence is part of the proof.
queue.on('error', () => {})
queue.process(async (job) => {
  say('start', job)
  if (options.workMs > 0) await sleep(Math.random() * 2 * options.workMs)
  say('end', job)
  return job.data
}, options.process)
process.on('SIGTERM', async () => {
  await queue.close()
  await service.disconnect()
})
process.send?.('ready')
