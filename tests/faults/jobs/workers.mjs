// Worker processes that may be killed at any moment, and what they wrote down.

import { fork } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { temporaryFolder } from '../../../__test__/support/processes.mjs'

const program = fileURLToPath(new URL('../samples/worker.mjs', import.meta.url))

/** Microseconds of the clock that the workers write down. */
export const now = () => Number(process.hrtime.bigint() / 1000n)

/** Starts `count` workers of the queue `proof` with the options that samples/worker.mjs takes. */
export async function startWorkers({ url, count, ...options }) {
  const file = join(temporaryFolder('jobs'), 'log')
  writeFileSync(file, '')
  const children = []
  const kills = []
  const begin = async (place) => {
    const child = fork(program, [url, file, JSON.stringify(options)], {
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    children[place] = child
    child.ended = new Promise((resolve) => child.on('exit', (status, signal) => resolve(signal ?? status)))
    await new Promise((resolve) => child.once('message', resolve))
    // It is not this process that keeps it alive, nor the other way round.
    child.channel?.unref()
  }
  process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')))
  await Promise.all(Array.from({ length: count }, (_, place) => begin(place)))

  return {
    kills,
    /** Kills the one at this place as a power cut would, and starts another there. */
    async replace(place) {
      const child = children[place]
      child.kill('SIGKILL')
      kills.push({ at: now(), pid: child.pid })
      await child.ended
      await begin(place)
    },
    /** Ends all of them as an operator would; returns how they ended. */
    async stop() {
      for (const child of children) child.kill('SIGTERM')
      return Promise.all(children.map((child) => child.ended))
    },
    /** What was written down so far, by time: `{ what, at, pid, id, group }`. */
    entries: () => read(file),
  }
}

function read(file) {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  const entries = lines.map((line) => {
    const [what, at, pid, id, group] = line.split(' ')
    return { what, at: Number(at), pid: Number(pid), id, group }
  })
  return entries.sort((a, b) => a.at - b.at)
}
