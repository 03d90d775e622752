// Arguments of raw commands are counted and checked before anything is sent, in a transaction too.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { RedisService } from 'cinnabar'

import { refuses } from '../helpers.mjs'
import { engines, withClient } from '../support/engines.mjs'
import { fakeServer } from '../support/fake-server.mjs'
import { has } from '../support/server-features.mjs'

const member = { score: 1, value: 'a' }

/** `[method, args, what the message names]`. */
const BAD = [
  // Too few.
  ['get', [], /key/],
  ['set', ['k'], /value/],
  ['mSet', [], /key/],
  ['mSet', ['a', 1, 'b'], /value/],
  ['incrBy', ['n'], /increment/],
  ['hGet', ['h'], /field/],
  ['hSet', ['h'], /field/],
  ['hSet', ['h', 'f'], /value/],
  ['hSet', ['h', 'f', 1, 'g'], /value/],
  ['hIncrBy', ['h', 'f'], /increment/],
  ['lPush', ['l'], /element/],
  ['lPush', ['l', []], /element/],
  ['rPush', ['l', []], /element/],
  ['lRange', ['l'], /start/],
  ['lRange', ['l', 0], /stop/],
  ['lTrim', ['l', 0], /stop/],
  ['sAdd', [], /key/],
  ['sIsMember', ['s'], /member/],
  ['zAdd', ['z'], /member/],
  ['zAdd', ['z', []], /member/],
  ['zRange', ['z', 0], /stop/],
  ['zRangeByScore', ['z', 0], /max/],
  ['zScore', ['z'], /member/],
  ['zIncrBy', ['z', 1], /member/],
  ['publish', ['c'], /message/],
  ['expire', ['k'], /seconds/],
  ['eval', ['return 1'], /numberOfKeys/],
  ['eval', ['return 1', 2, 'a'], /numberOfKeys is 2/],
  // Too many.
  ['get', ['k', 'l'], /\(key\), got 2/],
  ['set', ['k', 'v', { EX: 1 }, 5], /got 4/],
  ['incr', ['n', 5], /got 2/],
  ['incrBy', ['n', 5, 6], /got 3/],
  ['dbSize', [1], /no arguments/],
  ['ttl', ['k', 'l'], /got 2/],
  ['type', ['k', 'l'], /got 2/],
  ['hGetAll', ['h', 'f'], /got 2/],
  ['hSet', ['h', { f: 1 }, 5], /got 3/],
  ['lRange', ['l', 0, 1, 2], /got 4/],
  ['zAdd', ['z', member, member], /got 3/],
  ['zAdd', ['z', member, { NX: true }], /got 3/],
  ['zRevRange', ['z', 0, 1, { LIMIT: {} }], /got 4/],
  ['scan', ['0', {}, 1], /got 3/],
  // No whole numbers.
  ['incrBy', ['n', 0.5], /increment.*0\.5/],
  ['incrBy', ['n', 'one'], /increment/],
  ['incrBy', ['n', NaN], /increment/],
  ['incrBy', ['n', 2 ** 53], /increment/],
  ['decrBy', ['n', 1.5], /decrement/],
  ['hIncrBy', ['h', 'f', Infinity], /increment/],
  ['lRange', ['l', 0.5, 1], /start/],
  ['lRange', ['l', 0, NaN], /stop/],
  ['lTrim', ['l', 0, 1.5], /stop/],
  ['zRevRange', ['z', 0, 1.5], /stop/],
  ['zRange', ['z', 0.5, 1], /start/],
  ['zRange', ['z', '(1', 2], /start/],
  ['expire', ['k', 1.5], /seconds/],
  ['pExpire', ['k', NaN], /ms/],
  ['lPop', ['l', -1], /count/],
  ['scan', ['next'], /cursor/],
  ['scan', [-1], /cursor/],
  ['eval', ['return 1', 0.5], /numberOfKeys/],
  ['eval', ['return 1', -1], /numberOfKeys/],
  // No scores.
  ['zAdd', ['z', { score: NaN, value: 'a' }], /score/],
  ['zIncrBy', ['z', '1', 'a'], /increment/],
  ['zRangeByScore', ['z', NaN, 1], /min/],
  ['zRangeByScore', ['z', 0, 'high'], /max/],
  ['zRangeByScore', ['z', undefined, 1], /min/],
  ['zRange', ['z', '', 1, { BY: 'SCORE' }], /start/],
  ['zRange', ['z', 0, 1, { LIMIT: { offset: 0, count: 1 } }], /BY/],
  // No words.
  ['get', [undefined], /key.*undefined/],
  ['get', [['k']], /key.*array/],
  ['set', ['k', { a: 1 }], /value.*object/],
  ['set', ['k', NaN], /value/],
  ['set', ['k', true], /value/],
  ['mSet', [{ a: undefined }], /value/],
  ['mGet', ['a', null], /key/],
  ['del', [['a', undefined]], /key/],
  ['hSet', ['h', { a: null }], /value/],
  ['hSet', ['h', ['f', 'v'], 1], /field/],
  ['hDel', ['h', 5n], /field/],
  ['lPush', ['l', undefined], /element/],
  ['sAdd', ['s', 'a', [null]], /member/],
  ['sIsMember', ['s', {}], /member/],
  ['publish', ['c', undefined], /message/],
  ['eval', ['return 1', 0, {}], /argument/],
  ['expire', ['k', 5, 'SOON'], /NX/],
  ['flushAll', ['NOW'], /ASYNC/],
  ['get', [new Uint16Array(1)], /key must be .*Uint8Array/],
  ['set', ['k', new DataView(new ArrayBuffer(1))], /value must be .*Uint8Array/],
  ['hSet', ['h', new Map([['f', 1]])], /field must be/],
  ['mSet', [new Map([['k', 1]])], /key must be|every key/],
  // Holes: without them, the replies to what is behind would be in other places.
  ['mGet', [Object.assign(['a'], { 2: 'b' })], /key.*undefined/],
  ['del', [Array(3)], /key.*undefined/],
  ['mSet', [['a', Array(1)]], /value.*undefined/],
  ['eval', ['return 1', 1, Array(1)], /argument.*undefined/],
  ['zAdd', ['z', Array(1)], /member.*undefined/],
  // As servers spell no number.
  ['incrBy', ['n', '+5'], /increment/],
  ['incrBy', ['n', '007'], /increment/],
  ['lRange', ['l', '-0', 1], /start/],
  ['scan', ['00'], /cursor/],
  // A forgotten await.
  ['get', [Promise.resolve('k')], /key .*a promise: await it first/],
  ['set', ['k', Promise.resolve('v')], /value .*a promise: await it first/],
  ['set', ['k', 'v', Promise.resolve({})], /a promise: await it first/],
  ['incrBy', ['n', Promise.resolve(1)], /increment .*a promise: await it first/],
  ['hSet', ['h', Promise.resolve({ f: 1 })], /field .*a promise: await it first/],
  ['zAdd', ['z', Promise.resolve(member)], /a promise: await it first/],
]

describe('a raw command with invalid arguments', () => {
  let server, service, client

  before(async () => {
    server = await fakeServer(() => '+OK\r\n')
    service = new RedisService({ url: server.url, log: false })
    await service.connect()
    client = service.getClient()
  })

  after(async () => {
    await service.disconnect()
    await server.close()
  })

  test('is refused with its name and that of the argument, and not sent', async () => {
    const before = server.commands.length
    for (const [method, args, named] of BAD) {
      const said = `${method}(${args.map(String)})`
      const direct = await refuses(client[method](...args), 'E_INVALID_ARGUMENT').catch((error) =>
        assert.fail(`${said}: ${error.message}`),
      )
      assert.match(direct.message, new RegExp(`^${method}: `), said)
      assert.match(direct.message, named, said)
      assert.equal(direct.command, method.toUpperCase(), said)
      const collected = await refuses(
        client
          .multi()
          .get('k')
          [method](...args)
          .exec(),
        'E_INVALID_ARGUMENT',
      )
      assert.equal(collected.message, direct.message)
    }
    assert.deepEqual(server.commands.slice(before), [])
  })

  test('says of bytes and other methods of the service the same', async () => {
    assert.match((await refuses(client.lRangeBuffer('l', 0.5, 1), 'E_INVALID_ARGUMENT')).message, /^lRange: start/)
    assert.match((await refuses(service.hSet('h', 'f'), 'E_INVALID_ARGUMENT')).message, /^hSet: every field/)
    assert.match((await refuses(service.expire('k', 0.5), 'E_INVALID_ARGUMENT')).message, /^expire: seconds/)
  })

  test('shows no value', async () => {
    const error = await refuses(client.incrBy('n', 'a-secret'), 'E_INVALID_ARGUMENT')
    assert.doesNotMatch(error.message, /a-secret/)
    const other = await refuses(client.zRangeByScore('z', 'a-secret', 1), 'E_INVALID_ARGUMENT')
    assert.doesNotMatch(other.message, /a-secret/)
  })
})

for (const engine of engines) {
  describe(`valid arguments, on ${engine.name}`, () => {
    const withRaw = withClient(engine)

    test(
      'are taken in each of their forms',
      withRaw(async (client) => {
        assert.equal(await client.set('k', 'v', undefined), 'OK')
        assert.equal(await client.get('k', undefined), 'v')
        assert.equal(await client.incrBy('n', '5'), 5)
        assert.equal(await client.incrBy('n', -2), 3)
        assert.equal(await client.rPush('l', 'a', ['b'], 3), 3)
        assert.deepEqual(await client.lRange('l', '0', '-1'), ['a', 'b', '3'])
        assert.deepEqual(await client.lPop('l', 2), ['a', 'b'])
        assert.equal(await client.hSet('h', 'f', 1, 'g', Buffer.from('2')), 2)
        const conditional = client.expire('k', 5, 'NX')
        if (engine.kind === 'memory' || has.conditionalExpire) assert.equal(await conditional, true)
        else await refuses(conditional, 'E_SERVER', /wrong number of arguments for 'expire'/)
        assert.equal(await client.zAdd('z', [member, { score: -Infinity, value: 'b' }]), 2)
        assert.deepEqual(await client.zRangeByScore('z', '-inf', '(1'), ['b'])
        assert.deepEqual(await client.zRangeByScore('z', '(0.5', ' 1e2 '.trim()), ['a'])
        assert.deepEqual(await client.zRange('z', '-inf', '+INF', { BY: 'SCORE' }), ['b', 'a'])
        assert.equal(await client.eval('return #KEYS + #ARGV', 1, ['a', 'b']), 2)
        assert.equal((await client.scan('0')).cursor, '0')
      }),
    )

    test(
      'of which there are none ask nothing',
      withRaw(async (client) => {
        assert.deepEqual(
          await Promise.all([client.del(), client.del([]), client.unlink([]), client.exists(), client.mGet([])]),
          [0, 0, 0, 0, []],
        )
        assert.deepEqual(
          await Promise.all([
            client.sAdd('s', []),
            client.sRem('s'),
            client.zRem('z', []),
            client.hDel('h', []),
            client.hMGet('h', []),
          ]),
          [0, 0, 0, 0, []],
        )
        assert.equal(await client.exists('s'), 0)
      }),
    )
  })
}
