// The raw commands have one table, in crates/core/src/features/raw/table.rs. What types/commands.d.ts declares agrees with it.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'

import { root } from '../helpers.mjs'

const { rawCommands } = createRequire(import.meta.url)('../../lib/addon.js')

/** The methods that an interface declares: by name, the names of the parameters of each overload. */
function declared(name) {
  const source = readFileSync(join(root, 'types/commands.d.ts'), 'utf8').replaceAll(/\/\*\*[^]*?\*\//g, '')
  const body = source.split(`export interface ${name} {`)[1].split('\n}')[0]
  const methods = new Map()
  for (const [, method, parameters] of body.matchAll(/^ {2}(\w+)\(([^]*?)\): /gm)) {
    const names = [...parameters.matchAll(/(?:^|,|\n)\s*((?:\.\.\.)?\w+\??):/g)].map(([, name]) => name)
    methods.set(method, [...(methods.get(method) ?? []), names])
  }
  return methods
}

const table = rawCommands().map(([method, command, parameters, bytes]) => ({ method, command, parameters, bytes }))

test('every command of the table is declared, and no other', () => {
  const methods = table.map(({ method }) => method)
  assert.deepEqual([...declared('Commands').keys()].sort(), methods.toSorted())
  const buffers = table.filter(({ bytes }) => bytes).map(({ method }) => `${method}Buffer`)
  assert.deepEqual([...declared('BufferCommands').keys()].sort(), buffers.sort())
})

test('a method is named as node-redis names it: after its command', () => {
  for (const { method, command } of table) assert.equal(method.toUpperCase(), command)
})

test('the parameters are declared in the order of the table', () => {
  const methods = declared('Commands')
  for (const { method, parameters } of table.filter(({ parameters }) => parameters !== '*')) {
    const wanted = parameters.split(' ').filter(Boolean)
    const [overload] = methods.get(method)
    const shape = (names) => names.map((name) => (name.startsWith('...') ? '...' : name.endsWith('?') ? '?' : '1'))
    // The types may leave out what is optional.
    const found = shape(overload)
    assert.deepEqual(found, shape(wanted.map((name) => name.replace(/:.*|\+$/, ''))).slice(0, found.length), method)
    assert.ok(
      wanted.slice(found.length).every((name) => name.endsWith('?')),
      method,
    )
  }
})
