'use strict'

const { readFileSync } = require('node:fs')
const { dirname, sep } = require('node:path')
const { fileURLToPath } = require('node:url')
const util = require('node:util')

// In development, hot reload re-evaluates modules in a running process. Whatever a module started during an earlier evaluation
// (workers, listeners, subscriptions) is closed once the new evaluation starts its replacement: no code is left with a
// reference through which it could be closed. Two calls count as of different evaluations only where that is certain.

// Stack frames of the loaders that evaluate modules: Node.js, webpack, Turbopack, Vite and Bun.
const LOADERS =
  /Module\._compile|ModuleJob\.|node:internal\/modules\/|__webpack_require__|__webpack_exec__|instantiateModule|module evaluation|module code|moduleEvaluation|ModuleEvaluation|loadAndEvaluateModule|runInlinedModule|vite\/dist\//
const CJS_WRAPPER = /^function ?\(exports, require, module, __filename, __dirname\)/
const FRAME = /(?:^|\(|at )((?:file:|webpack-internal:|https?:|\/|[A-Za-z]:[\\/]).*?|[^()]*?):(\d+):(\d+)\)?$/
const IS_BUN = process.versions.bun !== undefined
const FRAMES = 50
// The chunks of Turbopack, the line that starts a module in a chunk, and what precedes the function of a module that awaits.
const TURBOPACK_CHUNK = /[\\/]chunks[\\/]/
const TURBOPACK_ASYNC = 'return __turbopack_context__.a('
const TURBOPACK_MODULE = /^"((?:[^"\\\n]|\\.)+)", \(\(__turbopack_context__/
const OWN = `${dirname(__filename)}${sep}`

// Frames that name their module's code instead of a function.
const MODULE_CODE = /module evaluation|module code/

// Shared with other copies of this package, since hot reload may re-evaluate the package as well.
const shared = (globalThis[Symbol.for('cinnabar.hot-reload')] ??= {
  registered: new Map(),
  scripts: new Map(),
  turn: 0,
  inTurn: false,
  copies: 0,
})
// `bun --hot` evaluates everything anew, this package too.
const COPY = ++shared.copies

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
 * The evaluation that makes this call, if a module of the application is being evaluated right now. `undefined` for calls made
 * later, such as in a request handler: those are not replaced.
 */
function evaluation() {
  if (!isDevelopment()) return undefined
  const { sites, ids } = callSites()
  const found = readFrames(sites.map(String), (at) => isModuleCode(sites[at]))
  if (!found) return undefined
  const { file, at, isSync } = found
  return {
    file,
    isSync,
    turn: thisTurn(),
    ...(IS_BUN ? { seen: COPY } : scriptOf(file, sites[at], ids.get(sites[at]))),
  }
}

// `ids` has the number that the runtime gave the script of each frame, where it reports one.
function callSites() {
  const { stackTraceLimit, prepareStackTrace } = Error
  Error.stackTraceLimit = FRAMES
  Error.prepareStackTrace = (_, sites) => sites
  try {
    const { stack } = new Error('where')
    const sites = Array.isArray(stack) ? stack : []
    const ids = new Map()
    // Has the same frames up to those that await one.
    for (const [at, { id, line }] of scriptIds().entries()) {
      // The first frame is this function itself, at another line.
      if (at > 0 && sites[at]?.getLineNumber() === line) ids.set(sites[at], Number(id))
    }
    return { sites, ids }
  } finally {
    Error.stackTraceLimit = stackTraceLimit
    Error.prepareStackTrace = prepareStackTrace
  }
}

function scriptIds() {
  if (IS_BUN) return []
  const sites = util.getCallSites?.(FRAMES, { sourceMap: false }) ?? []
  const frames = sites[0]?.scriptId
    ? sites.map(({ functionName, scriptId, lineNumber }) => ({ name: functionName, id: scriptId, line: lineNumber }))
    : inspectedFrames()
  return frames.slice(frames.findIndex(({ name }) => name === callSites.name))
}

// Before Node.js 22.12 only the inspector reports which script a frame belongs to. It opens no port for this.
function inspectedFrames() {
  let found
  try {
    const { Session } = require('node:inspector')
    const session = new Session()
    session.connect()
    session.post('Runtime.enable')
    session.post('Runtime.evaluate', { expression: 'throw 0', silent: true }, (_, result) => {
      found = result?.exceptionDetails?.stackTrace?.callFrames
    })
    session.disconnect()
  } catch {
    // Other runtimes have none.
  }
  return (found ?? []).map(({ functionName, scriptId, lineNumber }) => ({
    name: functionName,
    id: scriptId,
    line: lineNumber + 1,
  }))
}

// The script of a frame: the number in the order in which scripts were first seen, that of the runtime, and where its function
// starts, since a script may contain several modules.
function scriptOf(file, site, id) {
  const key = `${file}\0${site.getScriptNameOrSourceURL()}\0${site.getScriptHash?.()}`
  if (!shared.scripts.has(key)) shared.scripts.set(key, shared.scripts.size)
  const start = `${site.getEnclosingLineNumber?.()}:${site.getEnclosingColumnNumber?.()}`
  return { seen: shared.scripts.get(key), id, start }
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

/**
 * The module whose code is running in these frames: `{ file, at, isSync }`, with the number of its frame. `isSync` says that its
 * loader is still waiting for it, as it does until the first await of the module.
 */
function readFrames(frames, isModuleCode) {
  const first = frames.findIndex(
    (frame) => !frame.includes(OWN) && /:\d+:\d+\)?$/.test(frame) && !frame.includes('node:'),
  )
  if (first < 0) return undefined
  const rest = frames.slice(first)
  const loader = rest.findIndex((frame) => LOADERS.test(frame) && !frame.startsWith('async '))
  const isSync = loader >= 0
  const isModule = (frame, n) => !frame.includes('node:') && isModuleCode(first + n)
  const at = isSync ? moduleBefore(rest, loader) : rest.findIndex(isModule)
  // Code that has no name of its own might be any module.
  const file = at < 0 || rest[at].includes('eval at ') ? undefined : fileOf(rest[at])
  return file && { file, at: first + at, isSync }
}

function moduleBefore(frames, loader) {
  if (loader === 0 || MODULE_CODE.test(frames[loader])) return loader
  // The function that webpack calls runs a text, which has the module's name.
  const text = frames.slice(0, loader).findLastIndex((frame) => frame.includes('webpack-internal:'))
  return text < 0 ? loader - 1 : text
}

function fileOf(frame) {
  const [, where, line] = FRAME.exec(frame) ?? []
  if (!where) return undefined
  const file = where.trim()
  const module = TURBOPACK_CHUNK.test(file) ? turbopackModule(file, Number(line)) : undefined
  // Each evaluation may have its own query string, such as `file.ts?t=17`.
  return module?.id ?? file.replace(/\?[^/]*$/, '')
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
 * Registers a resource of this `kind`, started by the evaluation `found` and closed by `end()`. Closes resources of the same kind
 * that an earlier evaluation of the same module started, or this one if a later evaluation has its own. Returns a function that
 * removes the registration, to be called when the resource is closed some other way.
 */
function register(found, kind, end) {
  if (!found) return () => {}
  const key = `${kind}\0${found.file}`
  const mine = { ...found, end }
  const others = shared.registered.get(key) ?? new Set()
  shared.registered.set(key, others)
  const isReplaced = [...others].some((other) => isLater(other, mine))
  for (const other of others) {
    if (!isLater(mine, other)) continue
    others.delete(other)
    other.end()
  }
  if (isReplaced) end()
  else others.add(mine)
  return () => {
    others.delete(mine)
    if (others.size === 0 && shared.registered.get(key) === others) shared.registered.delete(key)
  }
}

/**
 * Whether a call was certainly made by a later evaluation than another call of the same module. An evaluation has one script, but
 * several may share it. What an evaluation does before its first await it does in one turn of the event loop.
 */
function isLater(one, other) {
  if (one.seen !== other.seen) return one.seen > other.seen
  if (one.id !== undefined && other.id !== undefined && one.id !== other.id) return one.id > other.id
  return one.isSync && one.turn > other.turn && one.start === other.start
}

module.exports = { evaluation, readFrames, register }
