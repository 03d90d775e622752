// The examples of the pages about migration, each as a program of its own, run with nothing changed.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, describe, test } from 'node:test'

import { root, runModule } from '../helpers.mjs'
import { startRedis } from '../support/redis.mjs'

const server = await startRedis()
after(() => server.stop())

for (const [name, count] of Object.entries({ 'session-migration': 3, 'limit-migration': 3, 'lock-migration': 2 })) {
  const page = readFileSync(`${root}/docs/${name}.md`, 'utf8')
  const examples = [...page.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code]) => code)

  describe(`docs/${name}.md`, () => {
    test('has examples', () => assert.equal(examples.length, count))

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
  })
}
