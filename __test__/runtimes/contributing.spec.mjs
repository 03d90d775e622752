// The walk-through of CONTRIBUTING.md, applied to a copy of the tree: it compiles, its types are right and its spec passes.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { before, describe, it } from 'node:test'

import { root, run } from '../../scripts/run.mjs'

// Always the same folder, so that a second run compiles only what has changed.
const copy = join(root, 'target/contributing')

/** The blocks of the section: `{ path, where, anchor, code }`, where `where` is `after`, `before` or `a new file`. */
function blocks(document) {
  const [, section] = /^## Add an operation\n(.*?)^## /ms.exec(document)
  const announced = [
    ...section.matchAll(/`([^`\n]+)`, (?:(after|before) `([^`]+)`|(a new file)):\n\n( *)```\w+\n(.*?)\n *```\n/gs),
  ]
  assert.equal(announced.length, section.match(/^ *```\w+$/gm).length, 'a block does not say where it goes')
  return announced.map(([, path, where, anchor, fresh, indent, text]) => ({
    path,
    where: where ?? fresh,
    anchor,
    code: text
      .split('\n')
      .map((line) => line.slice(indent.length))
      .concat('')
      .join('\n'),
  }))
}

/** What the files of the tree become, by path. */
function apply(files, { path, where, anchor, code }) {
  if (where === 'a new file') {
    assert.ok(!files.has(path), `${path} exists already`)
    return files.set(path, code)
  }
  const text = files.get(path)?.toString()
  assert.ok(text !== undefined, `there is no ${path}`)
  const lines = text.split('\n')
  const at = lines.findIndex((line) => line.includes(anchor))
  assert.ok(at >= 0, `${path} has no line with ${anchor}`)
  lines.splice(where === 'after' ? at + 1 : at, 0, code.slice(0, -1))
  return files.set(path, lines.join('\n'))
}

/** Makes the copy, and leaves alone what is right in it already. */
function write(files) {
  mkdirSync(copy, { recursive: true })
  for (const path of readdirSync(copy, { recursive: true, withFileTypes: true })) {
    const full = join(path.parentPath ?? path.path, path.name)
    const known = files.has(full.slice(copy.length + 1)) || path.isDirectory() || path.isSymbolicLink()
    if (!known) rmSync(full)
  }
  for (const [path, content] of files) {
    const full = join(copy, path)
    if (existsSync(full) && readFileSync(full).equals(Buffer.from(content))) continue
    mkdirSync(dirname(full), { recursive: true })
    writeFileSync(full, content)
  }
  if (!existsSync(join(copy, 'node_modules'))) symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
}

describe('the walk-through of CONTRIBUTING.md', () => {
  const here = { cwd: copy }
  let steps

  before(async () => {
    const listed = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { quiet: true })
    const paths = listed.split('\0').filter((path) => path && existsSync(join(root, path)))
    const files = new Map(paths.map((path) => [path, readFileSync(join(root, path))]))
    steps = blocks(files.get('CONTRIBUTING.md').toString())
    for (const step of steps) apply(files, step)
    write(files)
  })

  it('builds', async () => {
    const env = { CARGO_TARGET_DIR: join(root, 'target') }
    const built = await run('cargo', ['build', '--locked', '--message-format=json'], { ...here, env, quiet: true })
    const artifacts = built
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const addon = artifacts.find(({ target, filenames }) => target?.name === 'cinnabar' && filenames).filenames[0]
    const name = basename(readdirSync(root).find((file) => /^cinnabar\..*\.node$/.test(file)))
    writeFileSync(join(copy, name), readFileSync(addon))
  })

  it('has its types', () =>
    run(process.execPath, ['node_modules/typescript/bin/tsc', '--project', '__test__/types'], here))

  it('passes its spec', async () => {
    // A test runner that finds itself within another one runs nothing.
    const env = { NODE_TEST_CONTEXT: undefined }
    const specs = steps.map(({ path }) => path).filter((path) => path.endsWith('.spec.mjs'))
    assert.equal(specs.length, 1)
    const output = await run(process.execPath, ['--test', '--test-reporter=tap', ...specs], { ...here, env })
    assert.match(output, /^# pass 2$/m)
  })
})
