// What is said where the addon cannot be loaded, and what runtimes get that could load none at all.

import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import * as cinnabar from 'cinnabar'

import { root, runNode } from '../helpers.mjs'
import { temporaryFolder } from '../support/processes.mjs'

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const { glibcVersionRuntime } = process.report.getReport().header
const libc = process.platform !== 'linux' ? '' : glibcVersionRuntime ? '-gnu' : '-musl'
const target = `${process.platform}-${process.arch}${libc}`
const name = `cinnabar-${target}`

/** Loads a copy of the package with this package of the platform beside it; returns what went wrong. */
async function load(platform) {
  const app = temporaryFolder('addon')
  const copy = join(app, 'node_modules/cinnabar')
  for (const path of ['package.json', 'index.js', 'lib'])
    cpSync(join(root, path), join(copy, path), { recursive: true })
  if (platform) {
    const folder = join(app, 'node_modules', name)
    mkdirSync(folder)
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ name, main: platform.main, version: platform.version }),
    )
    writeFileSync(join(folder, platform.main), platform.content)
  }
  const { status, err } = await runNode(['-e', `require(${JSON.stringify(copy)})`])
  assert.equal(status, 1)
  return err
}

describe('an addon that cannot be loaded', () => {
  test('is named, with the platform and what helps, where there is none', async () => {
    const said = await load()
    for (const part of [target, name, 'npm install --include=optional', `--cpu=${process.arch}`])
      assert.ok(said.includes(part), said)
  })

  test('says why where there is one of another platform', async () => {
    const said = await load({ main: 'other.node', content: 'MZ, a program of another system', version })
    for (const part of [target, name, 'npm install --include=optional', 'other.node'])
      assert.ok(said.includes(part), said)
  })

  test('names both versions where they differ', async () => {
    const said = await load({ main: 'index.js', content: '', version: '0.0.9' })
    assert.ok(said.includes(`cinnabar is ${version}, but ${name} is 0.0.9`), said)
  })

  test('is one of the packages that a release has, and no other is ever named', () => {
    const source = readFileSync(join(root, 'lib/addon.js'), 'utf8')
    const { targets } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).napi
    const named = new Set([...source.matchAll(/require\('(cinnabar-[^'/]+)'\)/g)].map(([, found]) => found))
    assert.equal(named.size, targets.length)
    for (const found of named) {
      assert.equal(JSON.parse(readFileSync(join(root, 'npm', found.slice(9), 'package.json'), 'utf8')).name, found)
    }
  })
})

describe('an edge runtime', () => {
  const edge = createRequire(import.meta.url)('../../edge.js')
  const why = /cannot be used here: .*runtime = 'nodejs'/

  test('gets every name', () => {
    const { default: _, 'module.exports': __, ...names } = cinnabar
    assert.deepEqual(Object.keys(edge).sort(), Object.keys(names).sort())
  })

  test('gets the reason from everything that it uses', async () => {
    const { session } = createRequire(import.meta.url)('../../edge-session.js')
    for (const [name, value] of Object.entries({ ...edge, session })) {
      const reported = { message: new RegExp(`^${name} ${why.source}`) }
      assert.throws(() => value(), reported)
      assert.throws(() => new value(), reported)
      assert.throws(() => value.get('key'), reported)
      assert.throws(() => new (class extends value {})(), reported)
      // Looking at it is no use of it.
      assert.equal(await value, value)
      assert.equal(new Error('mine') instanceof value, false)
      assert.equal(typeof `${Object.prototype.toString.call(value)}`, 'string')
    }
  })
})

describe('several copies of the addon in one process', () => {
  // Bundlers and package managers copy files, and the C library has little room for thread-local memory of a fixed place.
  test('all load', async () => {
    const folder = temporaryFolder('copies')
    const paths = Array.from({ length: 8 }, (_, number) => join(folder, `${number}.node`))
    for (const path of paths) cpSync(join(root, `cinnabar.${target}.node`), path)
    const load = `for (const path of ${JSON.stringify(paths)}) process.dlopen({ exports: {} }, path)`
    const { status, err } = await runNode(['-e', load])
    assert.equal(status, 0, err)
  })
})
