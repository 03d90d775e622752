/** A publisher in a process of its own: this file is both its main program and what stands for it in the subscriber. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Sender } from './sender.mjs'

const file = fileURLToPath(import.meta.url)

/** Starts the process and returns the methods of a `Sender`. It ends with this one. */
export async function startSender({ contender, address, channel, paced }) {
  const child = fork(file, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ask = (question) =>
    new Promise((resolve, reject) => {
      const gone = () => reject(new Error('the process of the publisher ended'))
      child.once('exit', gone).once('message', ({ result, error }) => {
        child.off('exit', gone)
        if (error) reject(new Error(error))
        else resolve(result)
      })
      child.send(question)
    })
  await ask({ open: { contender, address, channel, paced } })
  return { run: (input) => ask({ run: input }), heard: (count) => child.send({ heard: count }) }
}

if (process.argv[1] === file) {
  let sender
  process.on('message', async ({ open, run, heard }) => {
    try {
      if (heard) return sender.heard(heard)
      if (open) sender = await openSender(open)
      process.send({ result: run ? await sender.run(run) : null })
    } catch (error) {
      process.send({ error: String(error?.message ?? error).split('\n')[0] })
    }
  })
  process.on('disconnect', () => process.exit())
}

async function openSender({ contender, address, channel, paced }) {
  const { open } = await import(`../contenders/${contender}.mjs`)
  const client = await open(address)
  return new Sender((message) => client.publish(channel, message), { paced })
}
