// Processes with members and listeners in rooms: they are killed, put to sleep and asked what they have heard.

import { join } from 'node:path'

import { root } from '../helpers.mjs'
import { background, end, temporaryFolder } from './processes.mjs'

/**
 * Starts one on a server; `ask(call, ...args)` has it do what `samples/room-process.mjs` knows, and returns what that does.
 */
export async function startRoomProcess(url, { leaseMs } = {}) {
  const sample = join(root, '__test__/samples/room-process.mjs')
  const child = background(process.execPath, [sample, JSON.stringify({ url, leaseMs })], {
    cwd: root,
    env: { PATH: process.env.PATH },
    log: join(temporaryFolder('room'), 'log'),
    talks: true,
  })
  const waiting = new Map()
  const wait = (id) => {
    child.channel.ref()
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject })).finally(() => {
      waiting.delete(id)
      if (waiting.size === 0) child.channel?.unref()
    })
  }
  child.on('message', ({ id, result, error }) => {
    if (error) waiting.get(id)?.reject(new Error(error))
    else waiting.get(id)?.resolve(result)
  })
  child.ended.then((how) => {
    for (const { reject } of waiting.values()) reject(new Error(`the process ended: ${how}\n${child.log()}`))
  })
  await wait(0)
  let next = 1
  return {
    ask(call, ...args) {
      const id = next++
      const result = wait(id)
      child.send({ id, call, args })
      return result
    },
    /** As a crash would. */
    kill: () => end(child, 'SIGKILL'),
    /** As an operator would. */
    stop: () => end(child, 'SIGTERM'),
    sleep: () => child.kill('SIGSTOP'),
    wake: () => child.kill('SIGCONT'),
  }
}
