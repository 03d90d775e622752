// The type declarations keep what the head of index.d.ts says of units.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { root } from '../helpers.mjs'
import { declarations } from '../support/types.mjs'

const index = readFileSync(join(root, 'index.d.ts'), 'utf8')
const exceptions = new Set(
  [...index.matchAll(/^\/\/ \| (.*?) +\|/gm)].flatMap(([, names]) =>
    [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name),
  ),
)

/** The properties that a text declares, each with its doc comment: `{ name, type, doc }`. */
function propertiesOf(text) {
  const found = text.matchAll(/\/\*\*((?:[^*]|\*(?!\/))*)\*\/\s+(?:readonly )?(\w+)\??: ([^\n]+)/g)
  return [...found].map(([, doc, name, type]) => ({ name, type, doc: doc.replace(/\s+\*?\s*/g, ' ') }))
}

/** The numbers that the doc comment says are times, and the name does not. */
function unnamedUnits(properties, known) {
  return properties
    .filter(({ type, doc }) => /^(?:false \| )?number\b/.test(type) && /\b(?:milliseconds|in seconds)\b/.test(doc))
    .filter(({ name }) => !/(?:Ms|Seconds|^ttl)$/.test(name) && !known.has(name))
    .map(({ name }) => name)
}

/** The names of times that are a string here and a number there. */
function namesOfTwoTypes(properties) {
  const types = new Map()
  for (const { name, type } of properties) {
    if (!/(?:At|^at|[tT]imestamp|Time)$/.test(name)) continue
    types.set(name, new Set([...(types.get(name) ?? []), /\bstring\b/.test(type) ? 'string' : 'number']))
  }
  return [...types].filter(([, found]) => found.size > 1).map(([name]) => name)
}

test('a number with a unit has it in its name, or is an exception that index.d.ts lists', () => {
  const properties = propertiesOf(declarations)
  assert.ok(properties.length > 200, String(properties.length))
  assert.deepEqual(unnamedUnits(properties, exceptions), [])
  const wrong = propertiesOf('  /** How long it may take, in milliseconds. */\n  limit?: number')
  assert.deepEqual(unnamedUnits(wrong, exceptions), ['limit'])
})

test('times of one name have one type, or say which they have', () => {
  const properties = propertiesOf(declarations)
  assert.deepEqual(namesOfTwoTypes(properties).sort(), ['createdAt', 'timestamp'])
  for (const { name, doc } of properties) {
    if (name === 'createdAt' || name === 'timestamp') assert.match(doc, /ISO 8601|milliseconds since 1970/, name)
  }
})

test('each exception is a name that the declarations have', () => {
  for (const name of exceptions) assert.match(declarations, new RegExp(`\\b${name}\\b`), name)
})
