// Child processes that end with the test that started them, however it ends.

import { spawn } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const children = new Set()
const folders = new Set()
// A file for each port in use, with the id of the process that has it; and those of this process.
const PORTS = join(tmpdir(), 'cinnabar-ports')
const reserved = new Set()

// The end of this process is the one moment that every way of ending has in common: hooks of a test runner do not run
// after an uncaught error, and a spec's own `after` hooks may still want the server.
process.on('exit', () => {
  for (const child of children) child.kill(child.endSignal)
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
  for (const port of reserved) rmSync(join(PORTS, String(port)), { force: true })
})
for (const [signal, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15],
  ['SIGHUP', 1],
]) {
  // A program with a handler of its own decides itself when it ends.
  process.once(signal, () => process.listenerCount(signal) || process.exit(128 + number))
}

/** A new folder that is removed when this process ends. */
export function temporaryFolder(name, owner) {
  const folder = mkdtempSync(join(tmpdir(), `cinnabar-${name}-`))
  folders.add(folder)
  if (owner) chownSync(folder, owner.uid, owner.gid)
  return folder
}

/**
 * Starts a program in the background. It neither keeps this process alive nor outlives it: where `setpriv` exists, not
 * even when this process is killed outright. With `talks`, a Node.js program gets messages and sends some.
 */
export function background(command, args, { cwd, env, log, owner, talks = false, endSignal = 'SIGKILL' } = {}) {
  const output = log ? openSync(log, 'w') : 'ignore'
  const guard = existsSync('/usr/bin/setpriv') ? guarded(endSignal, owner) : []
  const [program, ...rest] = [...guard, command, ...args]
  const stdio = ['ignore', output, output, ...(talks ? ['ipc'] : [])]
  const child = spawn(program, rest, { cwd, env: env ?? process.env, stdio })
  child.unref()
  child.channel?.unref()
  child.endSignal = endSignal
  child.log = () => (log ? readFileSync(log, 'utf8') : '')
  children.add(child)
  child.ended = new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('exit', (status, signal) => resolve(signal ?? status))
  }).finally(() => children.delete(child))
  return child
}

function guarded(endSignal, owner) {
  const identity = owner ? [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups'] : []
  return ['/usr/bin/setpriv', `--pdeathsig=${endSignal.slice(3)}`, ...identity]
}

/** Ends a process and waits until it has exited. */
export async function end(child, signal = 'SIGTERM') {
  if (!children.has(child)) return
  child.ref()
  child.kill(signal)
  await child.ended
}

/** Polls `ask` until it returns a truthy value; rejects when the process has ended or after `seconds`. */
export async function ready(child, what, ask, { seconds = 30 } = {}) {
  const deadline = performance.now() + seconds * 1000
  let last
  while (performance.now() < deadline) {
    const ended = await Promise.race([child.ended, delay(10, undefined)])
    if (ended !== undefined) throw new Error(`${what} ended at once (${ended})\n${child.log()}`)
    try {
      last = await ask()
      if (last) return last
    } catch (error) {
      last = error.message
    }
  }
  throw new Error(`${what} was not ready after ${seconds} s: ${last}\n${child.log()}`)
}

/**
 * A free TCP port, which no other process gets from here while this one exists: neither before its server listens, nor while that is down
 * between stop and start. It lies below the range from which systems take ports for outgoing connections.
 */
export async function freePort() {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 15_000)
    if (reserve(port) && (await isFree(port))) return port
  }
}

function reserve(port) {
  if (reserved.has(port)) return false
  const file = join(PORTS, String(port))
  mkdirSync(PORTS, { recursive: true })
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' })
  } catch {
    if (isRunning(holderOf(file))) return false
    rmSync(file, { force: true })
    return false
  }
  reserved.add(port)
  return true
}

function holderOf(file) {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch {
    return 0
  }
}

function isRunning(pid) {
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch ({ code }) {
    return code === 'EPERM'
  }
}

/** Whether a TCP port of the loopback interface is free. */
export function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
