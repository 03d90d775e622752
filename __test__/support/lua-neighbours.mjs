// Calls with deadlines beside whatever else an embedded engine does: how late are they rejected?
//
// What is measured is the engine. Of a call's lateness is taken off what this thread's event loop was late at that time, by a timer
// of its own; and what the engine's threads waited for a core, as Linux counts it for each: on a busy machine that is everybody's.

import { readFileSync, readdirSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'

import { RedisService } from 'cinnabar'

const EVERY_MS = 4
const { url, lateMs } = workerData
const service = new RedisService({ url, log: false })
const result = { calls: 0, settled: 0, timedOut: 0, worst: 0, late: 0, raw: { worst: 0, late: 0 }, examples: [] }

/** How long the runtime's thread has waited for a core so far, in ms; 0 where that is not counted. */
const runtime = () => {
  try {
    const tasks = readdirSync('/proc/self/task').map((id) => `/proc/self/task/${id}`)
    return tasks.find((task) => readFileSync(`${task}/comm`, 'utf8') === 'cinnabar\n')
  } catch {
    return undefined
  }
}
let task
function waited() {
  task ??= runtime()
  return task ? Number(readFileSync(`${task}/schedstat`, 'utf8').split(' ')[1]) / 1e6 : 0
}

/** When the loop turned, and how late it was by then; the newest last. */
const turns = []
let due = performance.now() + EVERY_MS
const ticker = setInterval(() => {
  const now = performance.now()
  turns.push({ now, late: Math.max(0, now - due), waited: waited() })
  due = now + EVERY_MS
  if (turns.length > 1000) turns.splice(0, 500)
  call()
}, EVERY_MS)

let open = 0
let count = 0
async function call() {
  if (open > 50) return
  open++
  const timeoutMs = 10 + (count++ % 4) * 10
  const started = performance.now()
  const one = service.with({ timeoutMs })
  // Of a key that does not exist, so that programs see nothing of it.
  const code = await (count % 2 ? one.get('other') : one.del('other')).then(
    () => 'settled',
    (error) => error.code,
  )
  const ended = performance.now()
  open--
  result.calls++
  if (code === 'settled') result.settled++
  else if (['E_TIMEOUT', 'E_NOT_SENT', 'E_MAYBE_APPLIED'].includes(code)) result.timedOut++
  else result.examples.push(code)
  const raw = ended - started - timeoutMs
  if (raw <= 0) return
  result.raw.worst = Math.max(result.raw.worst, raw)
  if (raw > lateMs) result.raw.late++
  const since = turns.filter(({ now }) => now > started)
  const loop = Math.max(0, ...since.map(({ late }) => late), ended - due)
  const before = turns.findLast(({ now }) => now <= started)
  const queued = before ? waited() - before.waited : 0
  const net = raw - loop - queued
  result.worst = Math.max(result.worst, net)
  if (net > lateMs) {
    result.late++
    if (result.examples.length < 10) result.examples.push({ timeoutMs, raw, loop, queued, code })
  }
}

parentPort.once('message', async () => {
  clearInterval(ticker)
  while (open > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  await service.disconnect()
  parentPort.postMessage(result)
})
await service.connect()
parentPort.postMessage('ready')
