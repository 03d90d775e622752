// SIGTERM while calls are under way: they succeed or fail within 5 s, later ones are refused, and the process ends by itself.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { scenario } from '../scenario.mjs'

const program = fileURLToPath(new URL('../samples/drain.mjs', import.meta.url))

/** Starts the program, has it make its calls, sends SIGTERM, and returns what it said; `ms` is how long it took by its own clock. */
async function drain(t, fault) {
  const child = spawn(process.execPath, [program, t.proxy.url], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  process.once('exit', () => child.kill('SIGKILL'))
  const said = (what) =>
    new Promise((resolve) => child.on('message', (message) => message[what] && resolve(message[what])))
  const [ready, sent, done] = [said('ready'), said('sent'), said('done')]
  const ended = new Promise((resolve) => child.on('exit', (status, signal) => resolve(signal ?? status)))
  await ready
  await fault()
  child.send('go')
  await sent
  child.kill('SIGTERM')
  const status = await Promise.race([ended, t.sleep(8000)])
  if (status === undefined) child.kill('SIGKILL')
  t.check(status === 0, status === undefined ? 'it did not end within 8 s' : `it ended with ${status}`)
  await t.proxy.heal({ dead: 'reset' })
  const report = await Promise.race([done, t.sleep(100)])
  t.check(report, 'it ended without its report')
  t.calls.count += report?.calls ?? 0
  return { ms: Infinity, ...report }
}

export default scenario({ number: 36, name: 'SIGTERM drains', short: true }, async (t) => {
  const slow = await drain(t, () => t.proxy.delay({ ms: 1000 }))
  t.note(`replies in 1 s: ended after ${Math.round(slow.ms)} ms`)
  t.check(slow.ms < 3000, `with replies in 1 s it ended after ${Math.round(slow.ms)} ms`)
  t.check(slow.right === 200, `${slow.right} of 200 calls in flight were fulfilled: ${JSON.stringify(slow.codes)}`)
  t.check(slow.later === 'E_CLOSED', `a later call got ${slow.later}`)

  const silent = await drain(t, () => t.proxy.silent())
  if (!silent.calls) return
  t.note(`no replies: ended after ${Math.round(silent.ms)} ms`)
  t.check(silent.ms < 5500, `without replies it ended after ${Math.round(silent.ms)} ms`)
  t.check(silent.right === 0, `${silent.right} calls were fulfilled without a server`)
  t.check(silent.settled === 200, `${200 - silent.settled} calls never settled`)
  t.check(silent.later === 'E_CLOSED', `a later call got ${silent.later}`)
})
