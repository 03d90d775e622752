import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

import { CinnabarError } from 'cinnabar'

/** The folder of the package. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Asserts that a promise rejects with the package's error of this code, and returns that error. */
export async function refuses(promise, code, message) {
  let error
  try {
    const value = await promise
    assert.fail(`expected ${code}, got the value ${JSON.stringify(value)}`)
  } catch (caught) {
    error = caught
  }
  if (error instanceof assert.AssertionError) throw error
  assertTyped(error, code, message)
  return error
}

/** Asserts that an error is the package's, of this code. */
export function assertTyped(error, code, message) {
  assert.ok(error instanceof CinnabarError, `expected a CinnabarError, got ${error?.stack ?? error}`)
  if (code) assert.equal(error.code, code, error.message)
  if (message) assert.match(error.message, message)
  assert.equal(typeof error.retryable, 'boolean')
}

/** Runs a module's source as a process of its own; returns `{ status, out, err, ms }`. Nothing of REDIS_* leaks in. */
export function runModule(source, { env = {}, args = [], timeout = 60_000 } = {}) {
  return runNode(['--input-type=module', '-e', source, ...args], { env, timeout })
}

/** Runs Node with these arguments as a process of its own. */
export function runNode(args, { env = {}, timeout = 60_000 } = {}) {
  const started = performance.now()
  return new Promise((resolve) => {
    const options = {
      cwd: root,
      env: { PATH: process.env.PATH, ...env },
      timeout,
      killSignal: 'SIGKILL',
      maxBuffer: 1 << 26,
    }
    execFile(process.execPath, args, options, (error, out, err) => {
      resolve({ status: error ? (error.code ?? error.signal) : 0, out, err, ms: performance.now() - started })
    })
  })
}

/** The same, asserting that it ended well; returns what it printed, as JSON. */
export async function runJson(source, options) {
  const { status, out, err } = await runModule(source, options)
  assert.equal(status, 0, err || out)
  return JSON.parse(out)
}

/** Polls until `ask` returns true; fails after some seconds. */
export async function until(what, ask, seconds = 10) {
  const deadline = performance.now() + seconds * 1000
  while (!(await ask())) {
    assert.ok(performance.now() < deadline, `waited in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Waits until a channel has no subscriber left at the server, which sees a `close()` shortly after it has resolved here. */
export const noSubscribers = (service, channel) =>
  until(`${channel} has no subscribers`, async () => (await service.publish(channel, 'no subscriber')) === 0)

/** A promise with its ends in hand. */
export function deferred() {
  let resolve, reject
  const promise = new Promise((...ends) => ([resolve, reject] = ends))
  return { promise, resolve, reject }
}

/** A connected raw client of a service. */
export async function rawClient(service) {
  await service.connect()
  const client = service.getClient()
  assert.ok(client, 'there is no client after connect()')
  return client
}

/** All text that printing an error and its causes would show, but for keys where they may be shown. */
export function textOf(error) {
  const seen = []
  for (let at = error; at && seen.length < 20; at = at.cause) {
    // Where a key may be shown, it stands in a property of that name.
    const { key: _, ...rest } = at
    seen.push(String(at.message), String(at.stack), JSON.stringify(rest))
  }
  return seen.join('\n')
}

/** The names of the methods that an object of a class has, own and inherited. */
export function methodsOf({ prototype }) {
  if (prototype === Object.prototype) return []
  const own = Object.entries(Object.getOwnPropertyDescriptors(prototype)).filter(
    ([name, { value }]) => name !== 'constructor' && typeof value === 'function',
  )
  return [...own.map(([name]) => name), ...methodsOf({ prototype: Object.getPrototypeOf(prototype) })]
}
