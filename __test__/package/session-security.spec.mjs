// docs/session-security.md names a test for each requirement: they exist.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The text of all files of a folder with this ending. */
const textOf = (folder, ending) =>
  readdirSync(join(root, folder), { recursive: true })
    .filter((name) => name.endsWith(ending))
    .map((name) => readFileSync(join(root, folder, name), 'utf8'))
    .join('\n')

test('every test that the page on the security of sessions names exists', () => {
  const specs = textOf('__test__/session', '.spec.mjs')
  const rust = textOf('crates/core', '.rs')
  const rows = readFileSync(`${root}/docs/session-security.md`, 'utf8').matchAll(
    /^\|([^|]+)\|([^|]+)\|\s*`([^`|]+)`\s*\|$/gm,
  )
  const named = [...rows].map(([, requirement, , name]) => [requirement.trim(), name])
  assert.ok(named.length >= 20, `${named.length} rows`)
  for (const [requirement, name] of named) {
    assert.ok(specs.includes(`'${name}'`) || rust.includes(`fn ${name}()`), `${requirement}: ${name}`)
  }
})
