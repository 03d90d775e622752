'use strict'

const { dirname, sep } = require('node:path')

const { now } = require('./clock.js')

// In development, modules are evaluated again and again while the process goes on. What a module began when it was evaluated
// is replaced by what it begins when it is evaluated again; nobody is left who could end it otherwise.

// What calls the code of a module: Node.js, webpack, Turbopack, Vite, Bun and Deno.
const LOADERS =
  /Module\._compile|ModuleJob\.|node:internal\/modules\/|__webpack_require__|__webpack_exec__|instantiateModule|module evaluation|module code|moduleEvaluation|ModuleEvaluation|loadAndEvaluateModule|runInlinedModule|vite\/dist\/|ext:core/
const FRAMES = 50
// Two evaluations of an edited module are further apart; two calls of one evaluation are not.
const APART_MS = 1000
const OWN = `${dirname(__filename)}${sep}`

// Shared with copies of this package: it may have been evaluated again too.
const shared = (globalThis[Symbol.for('cinnabar.again')] ??= { registered: new Map(), turn: 0, inTurn: false })

/** Whether modules may be evaluated again here. */
function isDevelopment() {
  try {
    if (process.env.NODE_ENV === 'development') return true
    return process.versions.bun !== undefined && process.execArgv.includes('--hot')
  } catch {
    // It may not be asked.
    return false
  }
}

/**
 * Where in which module whoever calls this was called, if that module is being evaluated: `{ file, place, turn }`. What is called
 * later, by a request for instance, is nobody's to replace.
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

// Behind an await nobody who loads it calls the code of a module. It is the function that begins where its file does.
function isModuleCode(site) {
  return site.getEnclosingLineNumber?.() === 1 && site.getEnclosingColumnNumber?.() === 1
}

function readFrames(frames, turn, isModuleCode) {
  const at = frames.findIndex((frame) => !frame.includes(OWN) && /:\d+:\d+\)?$/.test(frame) && !frame.includes('node:'))
  if (at < 0) return undefined
  if (!isModuleCode(at) && !frames.slice(at).some((frame) => LOADERS.test(frame))) return undefined
  const [, where, place] =
    /(?:^|\(|at )((?:file|webpack-internal|https?):.*?|[^()]*?):(\d+:\d+)\)?$/.exec(frames[at]) ?? []
  // An evaluation of its own may have a name of its own: `file.ts?t=17`.
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
 * Something of this `kind` was begun where `found` says, and `end` ends it. What the same module began of that kind when it was
 * evaluated before is ended. Answers what forgets it, for when it ends otherwise.
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
