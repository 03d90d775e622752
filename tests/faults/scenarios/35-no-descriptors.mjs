// The process may open no more files when it must reconnect: calls say so in time, and it heals when it may again.

import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'

import { scenario } from '../scenario.mjs'

export default scenario({ number: 35, name: 'no file descriptors left' }, async (t) => {
  const service = await t.service({ timeoutMs: 1000 })
  const load = await t.load({ service, rate: 100 })
  // A helper that is started before: later nothing can be.
  const helper = spawn('sh', ['-c', 'while read limit; do prlimit --pid "$PPID" --nofile="$limit:"; echo; done'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const limit = (files) =>
    new Promise((resolve) => {
      helper.stdout.once('data', resolve)
      helper.stdin.write(`${files}\n`)
    })
  await t.proxy.counters()
  // None above those that are open: a socket that is closed leaves one free, so the limit is below all of them.
  const before = readdirSync('/proc/self/fd').length
  await limit(3)
  await t.proxy.reset()
  await t.sleep(300)
  const error = await t.fails(service, 'a call', () => service.get('k'), ['E_UNAVAILABLE', 'E_NOT_SENT'])
  t.note(`it says: ${error?.message}`)
  await t.sleep(1000)
  await t.heal(() => limit(before + 1000))
  await t.healed(service)
  await load.stop()
  helper.kill()
})
