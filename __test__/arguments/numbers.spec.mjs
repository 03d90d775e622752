// A number goes out as JavaScript spells it.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { refuses } from '../helpers.mjs'
import { engines, withClient } from '../support/engines.mjs'

const NUMBERS = [
  -0,
  0,
  1,
  -1,
  0.1,
  -0.5,
  1e21,
  1.5e300,
  1e-7,
  -1.25e-9,
  5e-324,
  123456789012345680000,
  2 ** 53,
  2 ** 53 + 2,
  -(2 ** 63),
  Number.MAX_VALUE,
  Number.MIN_SAFE_INTEGER,
  0.1 + 0.2,
]

for (const engine of engines) {
  describe(`numbers on ${engine.name}`, () => {
    const withRaw = withClient(engine)

    test(
      'values, fields, elements and arguments are what String() makes of them',
      withRaw(async (client, service) => {
        for (const number of NUMBERS) {
          const text = String(number)
          await service.set('value', number)
          assert.equal(await service.get('value'), text)
          await service.hSet('hash', 'field', number)
          assert.equal(await service.hGet('hash', 'field'), text)
          await client.sendCommand(['SET', 'raw', number])
          assert.equal(await client.get('raw'), text)
          assert.equal(await client.eval('return ARGV[1]', 1, 'key', number), text)
          const results = await client.multi().set('multi', number).get('multi').exec()
          assert.equal(results[1][1], text)
          await client.del('list', 'set')
          await client.rPush('list', number, [number])
          assert.deepEqual(await client.lRange('list', 0, -1), [text, text])
          await client.sAdd('set', number)
          assert.deepEqual(await client.sMembers('set'), [text])
          await client.mSet({ many: number })
          assert.deepEqual(await client.mGet(['many']), [text])
        }
      }),
    )

    test(
      'scores come back as the same number',
      withRaw(async (client) => {
        for (const number of NUMBERS) {
          await client.zAdd('scores', { score: number, value: 'member' })
          // Minus zero is a zero like the other.
          assert.equal(Number(await client.zScore('scores', 'member')) + 0, number + 0)
          assert.deepEqual(await client.zRangeByScore('scores', number, number), ['member'])
        }
        await client.zAdd('scores', { score: Infinity, value: 'member' })
        assert.equal(await client.zScore('scores', 'member'), Infinity)
      }),
    )

    test(
      'minus zero is the zero that commands take',
      withRaw(async (client, service) => {
        await client.rPush('list', 'a', 'b', 'c')
        assert.deepEqual(await client.lRange('list', -0, -1), ['a', 'b', 'c'])
        assert.equal(await client.incrBy('count', -0), 0)
        assert.deepEqual(await client.zRange('none', -0, -1), [])
        assert.equal((await client.scan(-0)).cursor, '0')
        await client.set('key', 'v')
        assert.equal(await client.expire('key', -0), true)
        const id = await service.sessions.createSession('0', {})
        assert.ok(id)
      }),
    )

    test(
      'what is no number is refused before it is sent',
      withRaw(async (client, service) => {
        for (const number of [NaN, Infinity, -Infinity]) {
          await refuses(service.set('key', number), 'E_INVALID_ARGUMENT')
          await refuses(service.hSet('hash', 'field', number), 'E_INVALID_ARGUMENT')
          await refuses(client.sendCommand(['SET', 'key', number]), 'E_INVALID_ARGUMENT')
          await refuses(client.eval('return ARGV[1]', 0, number), 'E_INVALID_ARGUMENT')
          await refuses(client.incrBy('count', number), 'E_INVALID_ARGUMENT')
          await refuses(client.lRange('list', 0, number), 'E_INVALID_ARGUMENT')
        }
        await refuses(client.zAdd('scores', { score: NaN, value: 'member' }), 'E_INVALID_ARGUMENT')
        await refuses(client.zIncrBy('scores', NaN, 'member'), 'E_INVALID_ARGUMENT')
        await refuses(client.zRangeByScore('scores', NaN, 1), 'E_INVALID_ARGUMENT')
        assert.equal(await client.dbSize(), 0)
      }),
    )
  })
}
