/** A process of this bench, asked over its channel: one question at a time, by the names of its tasks. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { cleanEnvironment } from '../suite/contender.mjs'

/** Starts the program; `ask(task, input)` resolves to what the task returns. */
export function startProcess(file, execArgv = []) {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), {
    execArgv: ['--expose-gc', ...execArgv],
    env: cleanEnvironment(),
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const ask = (task, input = {}) =>
    new Promise((resolve, reject) => {
      const gone = () => reject(new Error(`the process of ${file} ended`))
      child.once('exit', gone).once('message', ({ result, error }) => {
        child.off('exit', gone)
        if (error) reject(new Error(error))
        else resolve(result)
      })
      child.send({ task, input })
    })
  const close = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.disconnect()
    await gone
  }
  return { ask, close }
}

/** The other end: runs the tasks until its parent is done with it. */
export function serveTasks(tasks) {
  process.on('message', async ({ task, input }) => {
    try {
      process.send({ result: (await tasks[task](input)) ?? null })
    } catch (error) {
      process.send({ error: String(error?.message ?? error) })
    }
  })
  process.on('disconnect', () => process.exit())
}
