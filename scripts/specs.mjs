// Runs the specs of `__test__` with Node's test runner.

import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

import { root, run } from './run.mjs'

const minute = 60_000

// Folders of specs that build apps: they run one at a time, and only on request.
const SEPARATE = ['runtimes', 'next', 'install']

/**
 * Runs the specs whose path has one of `words`, or all; with `folder` those in `__test__/<folder>`, otherwise all others.
 * `without` lists prefixes of paths to leave out, `env` environment variables for all of them.
 */
export function runSpecs(words, { folder, without = [], env } = {}) {
  const chosen = readdirSync(join(root, '__test__'), { recursive: true })
    .filter((path) => path.endsWith('.spec.mjs') && !path.includes('node_modules'))
    .filter((path) => SEPARATE.find((each) => path.startsWith(`${each}/`)) === folder)
    .filter((path) => !without.some((beginning) => path.startsWith(beginning)))
    .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
    .sort()
    .map((path) => join('__test__', path))
  if (chosen.length === 0) throw new Error(`no spec has ${words.join(' or ')} in its path`)
  // Specs wait for servers, clocks and faults most of the time.
  const [concurrency, timeout] = folder ? [1, 10 * minute] : [Math.min(4, 2 * availableParallelism()), 3 * minute]
  const options = [`--test-concurrency=${concurrency}`, `--test-timeout=${timeout}`, '--test-reporter=spec']
  return run(process.execPath, ['--test', ...options, ...chosen], { env })
}
