// The examples of docs/limit-migration.md, each as a program of its own, run with nothing changed.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import { root, runModule } from '../helpers.mjs'
import { startRedis } from '../support/redis.mjs'

const server = await startRedis()
const page = readFileSync(`${root}/docs/limit-migration.md`, 'utf8')
const examples = [...page.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code]) => code)

test('there are examples', () => assert.equal(examples.length, 3))

for (const [at, code] of examples.entries()) {
  for (const url of ['memory:', server.url]) {
    test(`example ${at + 1}, on ${url === 'memory:' ? 'memory' : 'redis'}`, async () => {
      await server.command('FLUSHALL')
      const [, wanted] = code.match(/console\.log\(.*\) \/\/ (.*)$/m)
      const { status, out, err } = await runModule(code, { env: { REDIS_URL: url } })
      assert.equal(status, 0, err)
      assert.equal(out.trim().split('\n').at(-1), wanted, err)
    })
  }
}
