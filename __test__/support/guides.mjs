// The guides of docs/ as tests read them: their blocks of code, headings and links; and a folder in which the blocks compile and run.
import { mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { anchorOf } from '../../site/anchors.mjs'
import { root, runNode } from '../helpers.mjs'
import { temporaryFolder } from './processes.mjs'

const FENCE = /^( *)```(\w*)[^\n]*\n([^]*?)^\1```$/gm

/** All guides: `{ name, text }`, sorted by name. */
export const guides = readdirSync(join(root, 'docs'))
  .filter((name) => name.endsWith('.md'))
  .sort()
  .map((name) => ({ name: name.slice(0, -3), text: readFileSync(join(root, 'docs', name), 'utf8') }))

/** The blocks of code of a guide: `{ guide, language, code, line }`, with the line of the guide on which the code begins. */
export function blocksOf({ name, text }) {
  return [...text.matchAll(FENCE)].map(({ 2: language, 3: code, index }) => ({
    guide: name,
    language,
    code,
    line: text.slice(0, index).split('\n').length + 1,
  }))
}

/** What `console.log(…) // …` says that a block prints, in order. */
export const expectedOutput = (code) =>
  [...code.matchAll(/^\s*console\.log\(.*\) \/\/ (.*)$/gm)].map(([, text]) => text)

/** Whether a printed line is what a comment says: the same text, after which the comment may explain it. Quotes do not count. */
export function isExpected(comment, printed) {
  const [wanted, line] = [comment, printed].map((text) => text.replaceAll("'", ''))
  return wanted === line || [',', ';', ':', ' ('].some((end) => wanted.startsWith(line + end))
}

/** The anchors of a text's headings, as GitHub and the site make them. */
export function anchorsOf(text) {
  const headings = text.replace(FENCE, '').matchAll(/^#+ (.*)$/gm)
  return new Set([...headings].map(([, heading]) => anchorOf(heading)))
}

/** The targets of a text's links, without those on the web. */
export function linksOf(text) {
  const prose = text.replace(FENCE, '').replace(/`[^`]*`/g, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target)
    .filter((target) => !/^https?:/.test(target))
}

/** A folder outside of the repository from which `cinnabar` and the packages of its tests resolve. */
export function guidesFolder() {
  const folder = temporaryFolder('guides')
  const modules = join(folder, 'node_modules')
  mkdirSync(modules)
  symlinkSync(root, join(modules, 'cinnabar'), 'dir')
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name), 'dir')
  }
  return folder
}

/** Writes a block as a module into a folder, named by its guide and line; returns the file's name. */
function writeBlock(folder, { guide, line, language }, code) {
  const file = `${guide}-${line}.${language === 'ts' ? 'mts' : 'mjs'}`
  writeFileSync(join(folder, file), code)
  return file
}

/** A block with the casts that JavaScript would not have: a server that listens has a port, and Express a session behind its middleware. */
function withCasts({ language, code }) {
  if (language === 'ts') return code
  const cast = (type, value) => `(/** @type {${type}} */ (/** @type {any} */ (${value})))`
  const listening = code.replaceAll('server.address()', cast("import('node:net').AddressInfo", 'server.address()'))
  if (!/import \{[^}]*\bsession\b[^}]*\} from 'cinnabar\/express'/.test(code)) return listening
  return listening.replaceAll(
    'request.session',
    cast("import('cinnabar').RequestSession", '/** @type {any} */ (request).session'),
  )
}

const COMPILER = {
  target: 'es2022',
  lib: ['es2022', 'esnext.disposable', 'dom', 'dom.iterable'],
  module: 'nodenext',
  types: ['node'],
  strict: true,
  allowJs: true,
  checkJs: true,
  skipLibCheck: true,
  noEmit: true,
}

/** Compiles the blocks under `strict`; returns the errors: `{ file, code, text }`. */
export async function compile(folder, blocks) {
  const files = blocks.map((block) => writeBlock(folder, block, withCasts(block)))
  const others = join(root, '__test__/support/guides/others.d.ts')
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: COMPILER, files: [...files, others] }))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { status, out, err } = await runNode([tsc, '--pretty', 'false', '--project', folder], { timeout: 150_000 })
  const errors = [...out.matchAll(/^(\S+?)\((\d+),\d+\): error (TS\d+): (.*(?:\n .*)*)/gm)].map(
    ([, path, line, code, text]) => ({ file: path.split('/').at(-1), line: Number(line), code, text }),
  )
  if (status !== 0 && errors.length === 0) throw new Error(`tsc ended with ${status}: ${out}${err}`)
  return errors
}

const END = '--- end of the block'

const RUN = `
import { redisService } from 'cinnabar'
for (const file of process.argv.slice(2)) {
  await redisService.connect()
  await redisService.getClient().flushAll()
  await import('./' + file)
  console.log('${END}')
}
await redisService.disconnect()
`

/**
 * Runs blocks one after the other in one process, each on an empty store. Returns what each printed, as lines; fewer than there are blocks
 * if one failed, with the reason as `err`.
 */
export async function runBlocks(folder, blocks, env) {
  const files = blocks.map((block) => writeBlock(folder, block, block.code))
  const program = join(folder, 'run.mjs')
  writeFileSync(program, RUN)
  const { status, out, err } = await runNode([program, ...files], { env, timeout: 150_000 })
  const printed = out.split(`${END}\n`).map((text) => text.trim().split('\n'))
  return { status, err, printed: printed.slice(0, -1) }
}
