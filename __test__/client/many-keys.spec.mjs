// One command with more keys than 16 bits count is executed whole, checked whole, and kept in order on each of its keys.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { refuses } from '../helpers.mjs'
import { engines, withClient } from '../support/engines.mjs'

for (const engine of engines) {
  describe(`many keys in one command on ${engine.name}`, () => {
    const withRaw = withClient(engine)

    for (const count of [65_535, 65_536, 70_000]) {
      const keys = Array.from({ length: count }, (_, at) => `key:${at}`)
      const values = keys.map((_, at) => String(at))

      test(
        `${count} keys`,
        withRaw(async (client) => {
          assert.equal(await client.mSet(keys.flatMap((key, at) => [key, values[at]])), 'OK')
          assert.equal(await client.dbSize(), count)
          assert.deepEqual(await client.mGet(keys), values)
          assert.deepEqual(await client.sendCommand(['MGET', ...keys]), values)
          assert.equal(await client.exists(keys), count)
          const ends = 'return { #KEYS, KEYS[#KEYS], redis.call("GET", KEYS[#KEYS]) }'
          assert.deepEqual(await client.eval(ends, count, keys), [count, keys.at(-1), values.at(-1)])
          const [[error, inside]] = await client.multi().mGet(keys).exec()
          assert.deepEqual([error, inside], [null, values])
          assert.equal(await client.unlink(...keys), count)
          assert.equal(await client.dbSize(), 0)
        }),
      )

      test(
        `${count} keys, each in order with other calls on it`,
        withRaw(async (client) => {
          const last = keys.at(-1)
          const calls = [
            client.set(last, 'a'),
            client.mGet(keys),
            client.set(last, 'b'),
            client.del(keys),
            client.get(last),
          ]
          const [, found, , removed, after] = await Promise.all(calls)
          assert.deepEqual([found.at(-1), removed, after], ['a', 1, null])
        }),
      )

      test(
        `${count} keys, of which the last is checked too`,
        withRaw(async (client) => {
          const bad = [...keys.slice(0, -1), '']
          await refuses(client.mGet(bad), 'E_INVALID_ARGUMENT', /key must not be empty/)
          await refuses(client.del(bad), 'E_INVALID_ARGUMENT', /key must not be empty/)
          await refuses(client.mSet(bad.flatMap((key) => [key, 'x'])), 'E_INVALID_ARGUMENT', /key must not be empty/)
          assert.equal(await client.dbSize(), 0)
        }),
      )
    }
  })
}
