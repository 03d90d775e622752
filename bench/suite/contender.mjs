/** A contender's process as the schedule sees it: one question at a time, each with a deadline. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const GRACE_MS = 30_000

export class Contender {
  #child
  #pending = null

  constructor(name, address) {
    this.name = name
    this.address = address
    this.#child = fork(fileURLToPath(new URL('child.mjs', import.meta.url)), {
      execArgv: ['--expose-gc'],
      env: cleanEnvironment(),
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let complaint = ''
    this.#child.stderr.on('data', (chunk) => (complaint = (complaint + chunk).slice(-2000)))
    this.#child.on('message', (message) => this.#settle(message))
    this.#child.on('exit', (code, signal) => {
      const last = complaint.split('\n').find((line) => /error/i.test(line)) ?? ''
      this.#settle({ error: `the process ended (${signal ?? code}) ${last}`.trim() })
    })
  }

  open() {
    return this.#ask({ task: 'open', contender: this.name, address: this.address })
  }

  prepare(workload, cell) {
    return this.#ask({ task: 'prepare', workload, cell })
  }

  /** What a run needs before it is measured. */
  setUp(inflight) {
    return this.#ask({ task: 'setUp', inflight })
  }

  run(inflight, ms) {
    return this.#ask({ task: 'run', inflight, ms }, ms)
  }

  /** Ends the process: politely first, by force when it does not go. */
  async close() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    const timer = setTimeout(() => this.kill(), 2000)
    if (this.#child.connected) this.#child.send({ task: 'close' })
    await gone
    clearTimeout(timer)
  }

  kill() {
    this.#child.kill('SIGKILL')
  }

  #ask(question, ms = 0) {
    if (!this.#child.connected) return Promise.reject(new Error('the process has ended'))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle({ error: `no reply to ${question.task}` }), ms + GRACE_MS)
      this.#pending = { resolve, reject, timer }
      this.#child.send(question)
    })
  }

  #settle({ result, error }) {
    const pending = this.#pending
    this.#pending = null
    if (!pending) return
    clearTimeout(pending.timer)
    if (error === undefined) pending.resolve(result)
    else pending.reject(new Error(error))
  }
}

/** Every contender runs as in production, and no setting of the shell that starts the bench reaches one. */
export function cleanEnvironment() {
  const kept = Object.entries(process.env).filter(([name]) => !/^(REDIS_|NODE_OPTIONS|DEBUG)/.test(name))
  return { ...Object.fromEntries(kept), NODE_ENV: 'production' }
}
