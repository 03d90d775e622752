'use strict'

const { dirname, sep } = require('node:path')

const { now } = require('./clock.js')

// In development, hot reload re-evaluates modules in a running process. Whatever a module started during an earlier evaluation
// (workers, listeners, subscriptions) is closed once the new evaluation starts its replacement: no code is left with a
// reference through which it could be closed.

// Stack frames of the loaders that evaluate modules: Node.js, webpack, Turbopack, Vite, Bun and Deno.
const LOADERS =
  /Module\._compile|ModuleJob\.|node:internal\/modules\/|__webpack_require__|__webpack_exec__|instantiateModule|module evaluation|module code|moduleEvaluation|ModuleEvaluation|loadAndEvaluateModule|runInlinedModule|vite\/dist\/|ext:core/
const FRAMES = 50
// Calls from another line of the same module belong to different evaluations only if they are further apart than this.
const APART_MS = 1000
const OWN = `${dirname(__filename)}${sep}`

// Shared with other copies of this package, since hot reload may re-evaluate the package as well.
const shared = (globalThis[Symbol.for('cinnabar.again')] ??= { registered: new Map(), turn: 0, inTurn: false })

/** Whether hot reload may re-evaluate modules in this process. */
function isDevelopment() {
  try {
    if (process.env.NODE_ENV === 'development') return true
    return process.versions.bun !== undefined && process.execArgv.includes('--hot')
  } catch {
    // Deno may deny access to the environment.
    return false
  }
}

/**
 * The call site in the application, `{ file, place, turn }`, if its module is being evaluated right now. `undefined` for calls
 * made later, such as in a request handler: those are not replaced.
 */
function evaluation() {
  if (!isDevelopment()) return undefined
  const sites = callSites()
  return readFrames(sites.map(String), thisTurn(), (at) => isModuleCode(sites[at]))
}

function callSites() {
  const { stackTraceLimit, prepareStackTrace } = Error
  Error.stackTraceLimit = FRAMES
  Error.prepareStackTrace = (_, sites) => sites
  try {
    const { stack } = new Error('where')
    return Array.isArray(stack) ? stack : []
  } finally {
    Error.stackTraceLimit = stackTraceLimit
    Error.prepareStackTrace = prepareStackTrace
  }
}

// After a top-level await the loader is no longer on the stack. Module code is then recognised as the function that starts at
// line 1, column 1 of its file.
function isModuleCode(site) {
  return site.getEnclosingLineNumber?.() === 1 && site.getEnclosingColumnNumber?.() === 1
}

function readFrames(frames, turn, isModuleCode) {
  const at = frames.findIndex((frame) => !frame.includes(OWN) && /:\d+:\d+\)?$/.test(frame) && !frame.includes('node:'))
  if (at < 0) return undefined
  if (!isModuleCode(at) && !frames.slice(at).some((frame) => LOADERS.test(frame))) return undefined
  const [, where, place] =
    /(?:^|\(|at )((?:file|webpack-internal|https?):.*?|[^()]*?):(\d+:\d+)\)?$/.exec(frames[at]) ?? []
  // Each evaluation may have its own query string, such as `file.ts?t=17`.
  return where && { file: where.trim().replace(/\?[^/]*$/, ''), place, turn }
}

function thisTurn() {
  if (!shared.inTurn) {
    shared.inTurn = true
    shared.turn++
    void Promise.resolve().then(() => (shared.inTurn = false))
  }
  return shared.turn
}

/**
 * Registers a resource of this `kind`, started at the call site `found` and closed by `end()`. Closes resources of the same kind
 * that an earlier evaluation of the same module started. Returns a function that removes the registration, to be called when the
 * resource is closed some other way.
 */
function register(found, kind, end) {
  if (!found) return () => {}
  const key = `${kind}\0${found.file}`
  const mine = { ...found, at: now(), end }
  const others = shared.registered.get(key) ?? new Set()
  shared.registered.set(key, others)
  for (const other of others) {
    const isOlder = other.turn !== found.turn && (other.place === found.place || other.at + APART_MS < mine.at)
    if (!isOlder) continue
    others.delete(other)
    other.end()
  }
  others.add(mine)
  return () => others.delete(mine)
}

module.exports = { evaluation, readFrames, register }
