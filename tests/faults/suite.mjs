// All scenarios: which there are, one run of each in a process of its own, and the table they make.

import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const folder = fileURLToPath(new URL('.', import.meta.url))

/**
 * The scenarios, in the order of their numbers: those whose number or name is among `words`, all without any; with `short`
 * only those that `npm test` runs.
 */
export async function scenarios({ words = [], short = false } = {}) {
  const files = ['scenarios', 'topologies'].flatMap((name) => listed(join(folder, name)))
  const chosen = []
  for (const file of files) {
    const { default: about } = await import(pathToFileURL(file).href)
    const label = basename(file, '.mjs')
    const named =
      words.length === 0 ||
      words.some((word) => (/^\d+$/.test(word) ? about.number === Number(word) : label.includes(word)))
    if (named && (!short || about.short)) chosen.push({ ...about, file, label })
  }
  return chosen.sort((a, b) => a.number - b.number || a.label.localeCompare(b.label))
}

function listed(path) {
  if (!existsSync(path)) return []
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isFile() && /^\d\d-.*\.mjs$/.test(entry.name))
    .map((entry) => join(path, entry.name))
}

/** Runs one, and returns its row. A crash and a hang are rows too. */
export async function runScenario(one, { seed = 1, short = false } = {}) {
  const started = performance.now()
  const sandbox = one.within ? await (await import('./sandbox.mjs')).createSandbox(one.within) : { prefix: [], env: {} }
  const node = [
    process.execPath,
    '--expose-gc',
    '--max-semi-space-size=4',
    join(folder, 'run.mjs'),
    one.file,
    String(seed),
    short ? 'short' : 'full',
  ]
  const [command, ...args] = [...sandbox.prefix, ...node]
  const child = spawn(command, args, {
    env: { ...clean(process.env), ...sandbox.env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => (said = (said + chunk).slice(-20_000)))
  }
  let row
  child.on('message', (message) => (row = message))
  let hung = false
  const timer = setTimeout(() => {
    hung = true
    child.kill('SIGKILL')
  }, one.limitMs)
  const ended = await new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (status, signal) => resolve(signal ?? status))
  })
  clearTimeout(timer)
  const end = hung ? `hung: killed after ${one.limitMs / 1000} s` : `crashed: the process ended with ${ended}`
  const reasons = row ? row.reasons : [end]
  if (row && ended !== 0) reasons.push(`the process ended with ${ended} after its result`)
  return {
    calls: null,
    wrong: null,
    unsettled: null,
    slowest: null,
    heal: null,
    notes: [],
    ...row,
    reasons,
    said,
    number: one.number,
    name: one.name,
    verdict: row ? (reasons.length === 0 ? 'ok' : 'FAILED') : hung ? 'HUNG' : `CRASHED (${ended})`,
    ok: reasons.length === 0,
    seconds: (performance.now() - started) / 1000,
  }
}

/** Without what would reach the service under test from outside. */
function clean(env) {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(REDIS_|NODE_ENV$|NODE_OPTIONS$|NODE_TEST)/.test(name)),
  )
}

const columns = [
  ['scenario', (row) => `${row.number} ${row.name}`],
  ['calls', (row) => row.calls],
  ['wrong results', (row) => row.wrong],
  ['unsettled', (row) => row.unsettled],
  ['slowest (ms over deadline)', (row) => row.slowest],
  ['time to heal (ms)', (row) => row.heal],
  ['verdict', (row) => row.verdict],
]

/** The rows as an aligned Markdown table. */
export function table(rows) {
  const cells = rows.map((row) => columns.map(([, value]) => String(value(row) ?? '–')))
  const heads = columns.map(([name]) => name)
  const widths = heads.map((head, i) => Math.max(head.length, ...cells.map((line) => line[i].length)))
  const number = (i) => i > 0 && i < columns.length - 1
  const pad = (text, i) => (number(i) ? text.padStart(widths[i]) : text.padEnd(widths[i]))
  const line = (texts) => `| ${texts.map(pad).join(' | ')} |`
  const rule = widths.map((width, i) => (number(i) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)))
  return [line(heads), `| ${rule.join(' | ')} |`, ...cells.map(line)].join('\n')
}

/** Where to look for the numbers that are missing. */
export const elsewhere =
  'What else belongs to scenario 1, `next build` without a server, is a test of `__test__/runtimes`, which `npm test` runs.'

/** Why rows failed, as a Markdown list; empty when none did. */
export function failures(rows) {
  return rows
    .filter((row) => !row.ok)
    .flatMap((row) => [
      `- ${row.number} ${row.name}: ${row.verdict}`,
      ...row.reasons.map((reason) => `  - ${oneLine(reason)}`),
    ])
    .join('\n')
}

const oneLine = (text) => text.split('\n')[0]
