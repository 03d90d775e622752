'use strict'

const { readFileSync } = require('node:fs')
const { dirname, sep } = require('node:path')
const { fileURLToPath } = require('node:url')

const { now } = require('./clock.js')

// In development, hot reload re-evaluates modules in a running process. Whatever a module started during an earlier evaluation
// (workers, listeners, subscriptions) is closed once the new evaluation starts its replacement: no code is left with a
// reference through which it could be closed.

// Stack frames of the loaders that evaluate modules: Node.js, webpack, Turbopack, Vite, Bun and Deno.
const LOADERS =
  /Module\._compile|ModuleJob\.|node:internal\/modules\/|__webpack_require__|__webpack_exec__|instantiateModule|module evaluation|module code|moduleEvaluation|ModuleEvaluation|loadAndEvaluateModule|runInlinedModule|vite\/dist\/|ext:core/
const CJS_WRAPPER = /^function ?\(exports, require, module, __filename, __dirname\)/
const FRAME = /(?:^|\(|at )((?:file:|webpack-internal:|https?:|\/|[A-Za-z]:[\\/]).*?|[^()]*?):(\d+):(\d+)\)?$/
const IS_BUN = process.versions.bun !== undefined
const FRAMES = 50
// Calls from another line of the same module belong to different evaluations only if they are further apart than this.
const APART_MS = 1000
// The chunks of Turbopack, the line that starts a module in a chunk, and what precedes the function of a module that awaits.
const TURBOPACK_CHUNK = /[\\/]chunks[\\/]/
const TURBOPACK_ASYNC = 'return __turbopack_context__.a('
const IS_BUNDLED = /webpack-internal:|[\\/]chunks[\\/]/
const TURBOPACK_MODULE = /^"((?:[^"\\\n]|\\.)+)", \(\(__turbopack_context__/
const OWN = `${dirname(__filename)}${sep}`

// Shared with other copies of this package, since hot reload may re-evaluate the package as well.
const shared = (globalThis[Symbol.for('cinnabar.again')] ??= { registered: new Map(), turn: 0, inTurn: false })

/** Whether hot reload may re-evaluate modules in this process. */
function isDevelopment() {
  try {
    if (process.env.NODE_ENV === 'development') return true
    return IS_BUN && process.execArgv.includes('--hot')
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

// After a top-level await the loader is no longer on the stack, and in Bun it never is. Module code is then recognised by its
// own frame.
function isModuleCode(site) {
  // Bun prints functions with a name or `<anonymous>`, and module code as a bare location.
  if (IS_BUN) return !String(site).endsWith(')') || CJS_WRAPPER.test(site.getFunction?.())
  const [line, column] = [site.getEnclosingLineNumber?.(), site.getEnclosingColumnNumber?.()]
  // The unnamed function that starts where its file does.
  if (line === 1 && column === 1) return !site.getFunctionName()
  return isAsyncModule(site.getScriptNameOrSourceURL() ?? '', line, column)
}

// Bundlers wrap a module with a top-level await in an async function, which starts before any code of the module.
function isAsyncModule(file, line, column) {
  if (file.startsWith('webpack-internal:')) return line === 1
  if (column !== TURBOPACK_ASYNC.length + 1 || !TURBOPACK_CHUNK.test(file)) return false
  return Boolean(turbopackModule(file, line)?.text?.startsWith(TURBOPACK_ASYNC))
}

function readFrames(frames, turn, isModuleCode) {
  const at = frames.findIndex((frame) => !frame.includes(OWN) && /:\d+:\d+\)?$/.test(frame) && !frame.includes('node:'))
  if (at < 0) return undefined
  const isLoaded = isModuleCode(at) || frames.slice(at).some((frame) => LOADERS.test(frame))
  // Otherwise, the caller may be a function that module code called.
  const by = isLoaded
    ? at
    : frames.findIndex((frame, n) => n > at && (IS_BUN || IS_BUNDLED.test(frame)) && isModuleCode(n))
  if (by < 0) return undefined
  const first = placeOf(frames[at])
  if (!first) return undefined
  const places = frames.slice(at, by + 1).map((frame) => placeOf(frame)?.place)
  return { file: first.file, place: places.join(' '), turn }
}

function placeOf(frame) {
  const [, where, line, column] = FRAME.exec(frame) ?? []
  if (!where) return undefined
  const file = where.trim()
  const module = TURBOPACK_CHUNK.test(file) ? turbopackModule(file, Number(line)) : undefined
  if (module) return { file: module.id, place: `${module.line}:${column}` }
  // Each evaluation may have its own query string, such as `file.ts?t=17`.
  return { file: file.replace(/\?[^/]*$/, ''), place: `${line}:${column}` }
}

// Turbopack first evaluates a module as part of a chunk, and after an edit on its own, as `chunk.js?id=<module>`. Returns the
// module that contains a line, and the number and text of that line within the module, which are the same in both cases.
function turbopackModule(file, line) {
  try {
    const url = file.startsWith('file:') ? new URL(file) : undefined
    const wanted = url?.searchParams.get('id')
    const lines = readFileSync(url ? fileURLToPath(url) : file, 'utf8').split('\n')
    const ids = lines.map((text) => TURBOPACK_MODULE.exec(text)?.[1])
    const begin = wanted ? ids.indexOf(wanted) : ids.slice(0, line).findLastIndex((id) => id)
    const own = wanted ? line : line - begin
    const id = wanted ?? ids[begin]
    return id && { id, line: own, text: lines[begin + own - 1] }
  } catch {
    return undefined
  }
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
