import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { refuses } from '../helpers.mjs'
import { engines, withClient } from '../support/engines.mjs'

for (const engine of engines) {
  describe(`the raw client on ${engine.name}`, () => {
    const withRaw = withClient(engine)

    test(
      'strings and numbers',
      withRaw(async (client) => {
        assert.equal(await client.ping(), 'PONG')
        assert.equal(await client.set('n', 1), 'OK')
        assert.equal(await client.incr('n'), 2)
        assert.equal(await client.incrBy('n', 40), 42)
        assert.equal(await client.decr('n'), 41)
        assert.equal(await client.decrBy('n', 1), 40)
        assert.equal(await client.get('n'), '40')
        assert.equal(await client.set('n', 'x', { GET: true }), '40')
        assert.equal(await client.set('fresh', 'x', { GET: true }), null)
        assert.equal(await client.mSet({ a: 1, b: 'two' }), 'OK')
        assert.equal(await client.mSet('c', 3, 'd', 4), 'OK')
        assert.equal(await client.mSet(['e', 5, 'f', 6]), 'OK')
        assert.equal(
          await client.mSet([
            ['g', 7],
            ['h', 8],
          ]),
          'OK',
        )
        assert.deepEqual(await client.mGet(['a', 'b', 'none', 'c', 'd']), ['1', 'two', null, '3', '4'])
        assert.deepEqual(await client.mGet('e', 'f', 'g', 'h'), ['5', '6', '7', '8'])
      }),
    )

    test(
      'lives',
      withRaw(async (client) => {
        assert.equal(await client.ttl('none'), -2)
        await client.set('k', 'v')
        assert.equal(await client.ttl('k'), -1)
        assert.equal(await client.pTTL('k'), -1)
        assert.equal(await client.expire('k', 100), true)
        assert.ok([99, 100].includes(await client.ttl('k')))
        const left = await client.pTTL('k')
        assert.ok(left > 99_000 && left <= 100_000)
        assert.equal(await client.persist('k'), true)
        assert.equal(await client.persist('k'), false)
        assert.equal(await client.expire('none', 100), false)
        await client.set('k', 'v', { EX: 100 })
        await client.set('k', 'w', { KEEPTTL: true })
        assert.ok([99, 100].includes(await client.ttl('k')))
        assert.equal(await client.expire('k', -1), true)
        assert.equal(await client.get('k'), null)
      }),
    )

    test(
      'keys',
      withRaw(async (client) => {
        await client.mSet({ a: 1, b: 2, c: 3 })
        await client.hSet('h', 'f', 'v')
        assert.equal(await client.exists('a', 'b', 'none'), 2)
        assert.equal(await client.exists(['a', 'b']), 2)
        assert.equal(await client.type('a'), 'string')
        assert.equal(await client.type('h'), 'hash')
        assert.equal(await client.type('none'), 'none')
        assert.equal(await client.dbSize(), 4)
        assert.equal(await client.del('a'), 1)
        assert.equal(await client.unlink(['b', 'none']), 1)
        assert.equal(await client.dbSize(), 2)
        assert.match(await client.info(), /redis_version:|valkey_version:/)
      }),
    )

    test(
      'scan finds every key, by pattern too',
      withRaw(async (client) => {
        const names = Array.from({ length: 500 }, (_, i) => `scan:${i}`)
        await client.mSet(names.map((name) => [name, 1]))
        await client.set('other', 1)
        const found = new Set()
        let cursor = '0'
        do {
          const page = await client.scan(cursor, { MATCH: 'scan:*', COUNT: 50 })
          assert.deepEqual(Object.keys(page).sort(), ['cursor', 'keys'])
          cursor = page.cursor
          for (const key of page.keys) found.add(key)
        } while (String(cursor) !== '0')
        assert.deepEqual([...found].sort(), names.sort())
      }),
    )

    test(
      'hashes',
      withRaw(async (client) => {
        assert.equal(await client.hSet('h', 'a', 1), 1)
        assert.equal(await client.hSet('h', { b: 2, c: 'three' }), 2)
        assert.equal(await client.hSet('h', 'd', 4, 'e', 5), 2)
        assert.equal(await client.hGet('h', 'c'), 'three')
        assert.equal(await client.hExists('h', 'a'), true)
        assert.equal(await client.hExists('h', 'none'), false)
        assert.deepEqual((await client.hKeys('h')).sort(), ['a', 'b', 'c', 'd', 'e'])
        assert.deepEqual((await client.hVals('h')).sort(), ['1', '2', '4', '5', 'three'])
        assert.equal(await client.hLen('h'), 5)
        assert.deepEqual(await client.hMGet('h', 'a', 'none'), ['1', null])
        assert.deepEqual(await client.hMGet('h', ['b', 'c']), ['2', 'three'])
        assert.equal(await client.hIncrBy('h', 'a', 41), 42)
        assert.equal(await client.hDel('h', ['a', 'b']), 2)
        assert.deepEqual({ ...(await client.hGetAll('h')) }, { c: 'three', d: '4', e: '5' })
      }),
    )

    test(
      'lists',
      withRaw(async (client) => {
        assert.equal(await client.rPush('l', 'b', 'c'), 2)
        assert.equal(await client.lPush('l', 'a'), 3)
        assert.equal(await client.rPush('l', ['d', 'e']), 5)
        assert.deepEqual(await client.lRange('l', 0, -1), ['a', 'b', 'c', 'd', 'e'])
        assert.equal(await client.lLen('l'), 5)
        assert.equal(await client.lTrim('l', 0, 2), 'OK')
        assert.equal(await client.lPop('l'), 'a')
        assert.equal(await client.rPop('l'), 'c')
        assert.deepEqual(await client.lRange('l', 0, -1), ['b'])
        assert.equal(await client.lPop('none'), null)
        assert.deepEqual(await client.lRange('none', 0, -1), [])
      }),
    )

    test(
      'sets',
      withRaw(async (client) => {
        assert.equal(await client.sAdd('s', 'a', 'b', 'a'), 2)
        assert.equal(await client.sAdd('s', ['c', 'd']), 2)
        assert.deepEqual((await client.sMembers('s')).sort(), ['a', 'b', 'c', 'd'])
        assert.equal(await client.sIsMember('s', 'a'), true)
        assert.equal(await client.sIsMember('s', 'x'), false)
        assert.equal(await client.sRem('s', 'a', 'x'), 1)
        assert.equal(await client.sCard('s'), 3)
        assert.deepEqual(await client.sMembers('none'), [])
      }),
    )

    test(
      'sorted sets',
      withRaw(async (client) => {
        const members = [
          { score: 1, value: 'a' },
          { score: 2.5, value: 'b' },
          { score: 3, value: 'c' },
        ]
        assert.equal(await client.zAdd('z', members), 3)
        assert.equal(await client.zAdd('z', { score: Infinity, value: 'top' }), 1)
        assert.equal(await client.zAdd('z', { score: -Infinity, value: 'bottom' }), 1)
        assert.deepEqual(await client.zRange('z', 0, -1), ['bottom', 'a', 'b', 'c', 'top'])
        assert.deepEqual(await client.zRange('z', 0, 1, { REV: true }), ['top', 'c'])
        assert.deepEqual(await client.zRange('z', 1, 3, { BY: 'SCORE' }), ['a', 'b', 'c'])
        const limited = { BY: 'SCORE', LIMIT: { offset: 1, count: 1 } }
        assert.deepEqual(await client.zRange('z', '(1', '+inf', limited), ['c'])
        assert.deepEqual(await client.zRevRange('z', 0, 1), ['top', 'c'])
        assert.deepEqual(await client.zRangeByScore('z', 1, 2.5), ['a', 'b'])
        assert.deepEqual(await client.zRangeByScore('z', -Infinity, Infinity, { LIMIT: { offset: 0, count: 2 } }), [
          'bottom',
          'a',
        ])
        assert.equal(await client.zScore('z', 'b'), 2.5)
        assert.equal(await client.zScore('z', 'top'), Infinity)
        assert.equal(await client.zScore('z', 'none'), null)
        assert.equal(await client.zIncrBy('z', 0.5, 'b'), 3)
        assert.equal(await client.zCard('z'), 5)
        assert.equal(await client.zRem('z', 'a', 'none'), 1)
      }),
    )

    test(
      'scripts, and any other command',
      withRaw(async (client) => {
        assert.equal(await client.eval('return redis.call("SET", KEYS[1], ARGV[1])', 1, 'k', 'v'), 'OK')
        assert.equal(await client.get('k'), 'v')
        assert.deepEqual(await client.eval('return {1, "two", {3, false}}', 0), [1, 'two', [3, null]])
        assert.equal(await client.sendCommand(['GET', 'k']), 'v')
        assert.deepEqual(await client.sendCommand(['mget', 'k', 'none']), ['v', null])
        assert.equal(await client.sendCommand(['EXISTS', 'k']), 1)
        await refuses(client.eval('return redis.call("HGET", KEYS[1], "f")', 1, 'k'), 'E_WRONG_TYPE')
        await refuses(client.eval('this is no lua', 0), 'E_SERVER')
        await refuses(
          client.sendCommand(['NOSUCHCOMMAND', 'k']),
          engine.kind === 'redis' ? 'E_SERVER' : 'E_UNSUPPORTED',
        )
        for (const bad of [undefined, 'GET', [], [42], [null], ['GET', {}], { 0: 'GET' }]) {
          await refuses(client.sendCommand(bad), 'E_INVALID_ARGUMENT')
        }
      }),
    )

    test(
      'uses keys as they are',
      withRaw(async (client, service) => {
        for (const key of ['{a}b', 'a*b', 'a%7Bb', 'ü \u0000 \n', 'x'.repeat(2000)]) {
          await client.set(key, 'v')
          assert.equal(await client.get(key), 'v')
          assert.deepEqual(await service.exists(key), 1)
        }
        if (engine.kind === 'redis') assert.equal(await engine.server.command('GET', 'a%7Bb'), 'v')
      }),
    )

    test(
      'takes bytes where it takes strings',
      withRaw(async (client) => {
        await client.set(new Uint8Array([107]), Buffer.from('bytes'))
        assert.equal(await client.get('k'), 'bytes')
      }),
    )

    test(
      'multi returns [error, value] for each command, in order, as one transaction',
      withRaw(async (client) => {
        const results = await client
          .multi()
          .set('n', 1, { EX: 100 })
          .incr('n')
          .expire('n', 50)
          .get('n')
          .hSet('h', { a: 1, b: 2 })
          .hGetAll('h')
          .zAdd('z', [{ score: 1, value: 'm' }])
          .zScore('z', 'm')
          .sAdd('s', 'x')
          .sIsMember('s', 'x')
          .exec()
        assert.equal(results.length, 10)
        assert.equal(results[0][1], 'OK')
        assert.deepEqual(
          results.map(([error]) => error),
          Array(10).fill(null),
        )
        const values = results.map(([, value]) => value)
        values[5] = { ...values[5] }
        assert.deepEqual(values, ['OK', 2, true, '2', 2, { a: '1', b: '2' }, 1, 1, 1, true])
        assert.deepEqual(await client.multi().exec(), [])
      }),
    )

    test(
      'multi: one failing command fails alone, a bad argument stops all',
      withRaw(async (client) => {
        await client.set('text', 'x')
        const results = await client.multi().set('a', 1).incr('text').get('a').exec()
        assert.equal(results[0][0], null)
        assert.equal(results[1][0].code, 'E_SERVER')
        assert.deepEqual(results[2], [null, '1'])
        const bad = client.multi().set('b', 1).zAdd('z', ['no member']).set('c', 1)
        await refuses(bad.exec(), 'E_INVALID_ARGUMENT')
        const worse = client.multi().set('b', 1).set('c', { no: 'string' })
        await refuses(worse.exec(), 'E_INVALID_ARGUMENT')
        assert.equal(await client.exists('b', 'c'), 0)
        const once = client.multi().incr('once')
        await once.exec()
        await refuses(once.exec(), 'E_INVALID_ARGUMENT', /already/)
        assert.equal(await client.get('once'), '1')
      }),
    )

    test(
      'no other call comes between the commands of a transaction',
      withRaw(async (client) => {
        const rounds = Array.from({ length: 100 }, async () => {
          const results = await client.multi().incr('n').incr('n').incr('n').exec()
          const values = results.map(([, value]) => value)
          assert.deepEqual(values, [values[0], values[0] + 1, values[0] + 2])
        })
        const others = Array.from({ length: 100 }, () => client.incr('n'))
        await Promise.all([...rounds, ...others])
        assert.equal(await client.get('n'), '400')
      }),
    )

    test(
      'refuses bad arguments before anything is sent',
      withRaw(async (client) => {
        const cases = [
          () => client.get(),
          () => client.get(undefined),
          () => client.get(null),
          () => client.get({}),
          () => client.set('k'),
          () => client.set('k', 'v', { EX: '1' }),
          () => client.mSet({}),
          () => client.mSet([]),
          () => client.hSet('h', {}),
          () => client.hSet('h', { a: {} }),
          () => client.zAdd('z', []),
          () => client.zAdd('z', 'a'),
          () => client.zAdd('z', { score: NaN, value: 'a' }),
          () => client.zAdd('z', { score: '1', value: 'a' }),
          () => client.zAdd('z', { score: 1 }),
          () => client.zRange('z', 0, -1, { BY: 'NAME' }),
          () => client.mSet('a', 1, 'b'),
          () => client.zRange('z', 0, -1, { LIMIT: { offset: 0 } }),
          () => client.zRange('z', 0, -1, { LIMITS: {} }),
          () => client.scan(0, { MATCH: 42n }),
          () => client.scan(0, { COUNT: 0 }),
          () => client.incrBy('n', NaN),
          () => client.eval(42n, 0),
        ]
        for (const call of cases)
          await refuses(call(), 'E_INVALID_ARGUMENT').catch((error) => assert.fail(`${call}: ${error.message}`))
        assert.equal(await client.dbSize(), 0)
      }),
    )
  })
}
