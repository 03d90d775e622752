// Another client empties the server: nothing is kept in the process, so the very next read of every process finds nothing.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import { readers, write } from '../samples/readers.mjs'
import { scenario } from '../scenario.mjs'

const program = fileURLToPath(new URL('../samples/reader.mjs', import.meta.url))

export default scenario({ number: 27, name: 'FLUSHALL by another client', short: true }, async (t) => {
  const service = await t.service({})
  const child = spawn(process.execPath, [program, t.proxy.url], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  process.once('exit', () => child.kill('SIGKILL'))
  await once(child, 'message')
  const waiting = new Map()
  child.on('message', ({ id, ...outcome }) => waiting.get(id)(outcome))
  let last = 0
  const inChild = async (name, key) => {
    const id = ++last
    child.send({ id, name, key })
    const { value, error } = await new Promise((resolve) => waiting.set(id, resolve))
    if (error) throw new Error(error)
    return value
  }
  const processes = { here: (name, key) => readers[name](service, key), elsewhere: inChild }

  let flushes = 0
  const rounds = t.short ? 20 : 200
  for (let round = 0; round < rounds; round++) {
    const key = `k${round % 5}`
    await t.call(service, 'write', () => write(service, key))
    const reads = (what, right) =>
      Promise.all(
        Object.entries(processes).flatMap(([where, read]) =>
          Object.keys(readers).map((name) =>
            t.call(service, `${name} ${where}, ${what}`, () => read(name, key), { right }),
          ),
        ),
      )
    await reads('stored', (value) => value !== null || 'found nothing of what is stored')
    await t.server.command(flushes++ % 2 ? 'FLUSHDB' : 'FLUSHALL')
    await reads('flushed', (value) => value === null || 'found what was flushed')
  }
  child.disconnect()
  await once(child, 'exit')
})
