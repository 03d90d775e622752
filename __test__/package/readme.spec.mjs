// The README's examples, each as a program of its own, run with nothing changed: they print what their comments say.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { expectedOutput, isExpected } from '../support/guides.mjs'
import { startRedis } from '../support/redis.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const server = await startRedis()

/** Every `js` block with the heading that it stands under. */
function examples() {
  const found = []
  let heading
  for (const [, title, code] of readFileSync(`${root}/README.md`, 'utf8').matchAll(
    /^#+ (.*)$|^```js\n([^]*?)^```$/gm,
  )) {
    if (title) heading = title
    else found.push({ heading, code })
  }
  return found
}

describe('README', () => {
  it('has an example per feature', () => assert.ok(examples().length >= 7))

  for (const { heading, code } of examples()) {
    for (const url of ['memory:', server.url]) {
      it(`${heading}, on ${url === 'memory:' ? 'memory' : 'redis'}`, async () => {
        await server.command('FLUSHALL')
        const { REDIS_URL, ...env } = process.env
        const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], {
          cwd: root,
          env: { ...env, REDIS_URL: url },
          timeout: 30_000,
        })
        const { stdout, stderr } = await run
        assert.equal(stderr, '')
        const lines = stdout.split('\n')
        for (const comment of expectedOutput(code)) {
          assert.ok(
            lines.some((line) => isExpected(comment, line)),
            `"${comment}" was not printed, but ${JSON.stringify(lines)}`,
          )
        }
      })
    }
  }
})
