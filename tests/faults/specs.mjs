// Scenarios that are about processes and threads, not about servers: they are tests of other files, and a row here.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { scenario } from './scenario.mjs'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** A scenario that runs those tests of a spec whose names match; each must be there and hold. */
export function spec({ file, tests, ...about }) {
  return scenario({ engine: 'none', limitMs: 180_000, ...about }, async (t) => {
    for (const name of tests) {
      const pattern = `--test-name-pattern=${name}`
      const { ok, failed, said } = await run(['--test', '--test-reporter=tap', pattern, file])
      t.calls.count += ok + failed
      t.check(ok > 0, `${file} has no test called "${name}"`)
      t.check(failed === 0, `${failed} tests called "${name}" failed: ${said}`)
    }
  })
}

/** How many tests ran and held; those whose names do not match are not counted. */
async function run(args) {
  // A test runner that finds itself within another one says nothing of its own.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.on('data', (chunk) => (said += chunk))
  await new Promise((resolve) => child.on('close', resolve))
  const count = (name) => Number(new RegExp(`^# ${name} (\\d+)`, 'm').exec(said)?.[1] ?? 0)
  return { ok: count('pass'), failed: count('fail') + count('cancelled'), said: said.slice(-2000) }
}
