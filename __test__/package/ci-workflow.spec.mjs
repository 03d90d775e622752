// The CI workflow runs what CONTRIBUTING.md asks for, on the oldest versions that the package supports.
import assert from 'node:assert/strict'
import { accessSync, constants, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

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
