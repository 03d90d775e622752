// The CI workflow runs what CONTRIBUTING.md asks for, on the oldest versions that the package supports.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

import { root } from '../helpers.mjs'

const read = (path) => readFileSync(join(root, path), 'utf8')

test('the CI workflow runs .ci/run with the oldest supported Rust and Node.js', () => {
  const workflow = read('.github/workflows/ci.yml')
  assert.match(workflow, /^ +- run: \.ci\/run$/m)
  accessSync(join(root, '.ci/run'), constants.X_OK)
  const [, rust] = /^rust-version = "([\d.]+)"$/m.exec(read('Cargo.toml'))
  assert.match(workflow, new RegExp(`^ +image: rust:${rust.replace('.', '\\.')}-`, 'm'))
  const [, node] = /^>=(\d+)$/.exec(JSON.parse(read('package.json')).engines.node)
  assert.match(workflow, new RegExp(`^ +node-version: ${node}$`, 'm'))
})

test('the release workflow builds and loads all targets, by scripts that are there', () => {
  const workflow = read('.github/workflows/release.yml')
  const { targets } = JSON.parse(read('package.json')).napi
  const [, built, loaded] = workflow.split(/^ {4}strategy:$/m)
  for (const job of [built, loaded]) {
    assert.deepEqual([...job.matchAll(/\{ target: ([\w-]+),/g)].map(([, target]) => target).sort(), [...targets].sort())
  }
  const scripts = [...workflow.matchAll(/node (scripts\/[\w.-]+)/g)].map(([, script]) => script)
  assert.ok(scripts.length >= 3)
  for (const script of scripts) accessSync(join(root, script))
  // It publishes only what was asked for, with provenance.
  assert.match(workflow, /if: .*refs\/tags\/v.* && vars\.PUBLISH == 'true'/)
  assert.match(workflow, /npm publish --provenance/)
  assert.match(read('.github/workflows/ci.yml'), /^ {2}workflow_call:$/m)
})

test('this machine runs what the release workflow runs to load an addon', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['scripts/first.mjs'], { cwd: root })
  assert.match(stdout, /^works in /)
})
