// Transactions of the raw client: any command, as one.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { assertTyped, refuses } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'
import { engines, withClient } from '../support/engines.mjs'
import { has } from '../support/server-features.mjs'

const cluster = await startCluster({ primaries: 3 })
const clustered = {
  name: 'a cluster',
  kind: 'cluster',
  async makeService() {
    const { RedisService } = await import('cinnabar')
    await cluster.everywhere('FLUSHALL')
    return new RedisService({ url: cluster.url })
  },
}
test.after(() => cluster.close())

for (const engine of [...engines, clustered]) {
  describe(`multi() on ${engine.name}`, () => {
    const withRaw = withClient(engine)

    test(
      'takes scripts, any command by sendCommand, and bytes',
      withRaw(async (client) => {
        const bytes = Buffer.from([0xff, 0x00, 0x80])
        const results = await client
          .multi()
          .set('{m}b', bytes)
          .getBuffer('{m}b')
          .eval("return { redis.call('INCR', KEYS[1]), ARGV[1], { false, 'x' } }", 1, '{m}n', 'a')
          .evalBuffer('return ARGV[1]', 0, bytes)
          .sendCommand(['APPEND', '{m}text', 'words'])
          .sendCommand(['getrange', '{m}text', '0', '-1'])
          .sendCommand(['GET', '{m}b'], { buffers: true })
          .hSet('{m}h', { a: 1, __proto__x: 2 })
          .hGetAll('{m}h')
          .type('{m}h')
          .exec()
        assert.ok(results.every(([error]) => error === null))
        const values = results.map(([, value]) => value)
        assert.equal(Object.getPrototypeOf(values[8]), null)
        values[8] = { ...values[8] }
        assert.deepEqual(values, [
          'OK',
          bytes,
          [1, 'a', [null, 'x']],
          bytes,
          5,
          'words',
          bytes,
          2,
          { a: '1', __proto__x: '2' },
          'hash',
        ])
      }),
    )

    test(
      'gives whole numbers as they are',
      withRaw(async (client) => {
        await client.set('n', String(2 ** 53 - 2))
        const results = await client.multi().incr('n').incr('n').sendCommand(['INCR', 'n']).get('n').exec()
        assert.deepEqual(
          [results[0], results[2], results[3]],
          [
            [null, 2 ** 53 - 1],
            [null, '9007199254740993'],
            [null, '9007199254740993'],
          ],
        )
        assertTyped(results[1][0], 'E_INVALID_DATA', /9007199254740992/)
      }),
    )

    test(
      'one that fails undoes none of the others',
      withRaw(async (client) => {
        await client.set('{m}text', 'x')
        const results = await client
          .multi()
          .incr('{m}text')
          .eval("return redis.call('HGET', KEYS[1], 'f')", 1, '{m}text')
          .set('{m}done', 1)
          .exec()
        assertTyped(results[0][0], 'E_SERVER')
        assertTyped(results[1][0], 'E_WRONG_TYPE')
        assert.deepEqual(results[2], [null, 'OK'])
        assert.equal(await client.get('{m}done'), '1')
      }),
    )

    test(
      'one that is not taken undoes all',
      withRaw(async (client) => {
        const wanted = engine.kind === 'memory' ? 'E_UNSUPPORTED' : 'E_SERVER'
        await refuses(client.multi().set('{m}a', 1).sendCommand(['NOSUCHCOMMAND', '{m}a']).exec(), wanted)
        await refuses(client.multi().set('{m}a', 1).sendCommand(['GET']).exec(), 'E_SERVER', /number of arguments/)
        await refuses(client.multi().set('{m}a', 1).sendCommand('GET').exec(), 'E_INVALID_ARGUMENT')
        await refuses(
          client.multi().set('{m}a', 1).sendCommand(['GET', 'a'], { buffer: 1 }).exec(),
          'E_INVALID_ARGUMENT',
        )
        await refuses(client.multi().set('{m}a', 1).sendCommand(['SELECT', '1']).exec(), 'E_UNSUPPORTED')
        assert.equal(await client.exists('{m}a'), 0)
        assert.equal(await client.get('{m}a'), null)
      }),
    )

    test(
      'what has nothing to ask about keeps its place',
      withRaw(async (client) => {
        const results = await client.multi().del([]).incr('n').mGet([]).exec()
        assert.deepEqual(results, [
          [null, 0],
          [null, 1],
          [null, []],
        ])
        assert.deepEqual(await client.multi().unlink([]).exec(), [[null, 0]])
      }),
    )

    test(
      'others never see a part of it',
      withRaw(async (client) => {
        const write = (i) => client.multi().set('{m}x', i).set('{m}y', i).exec()
        const read = () => client.multi().get('{m}x').get('{m}y').exec()
        const [, ...seen] = await Promise.all([
          write(0),
          ...Array.from({ length: 200 }, (_, i) => (i % 2 ? read() : write(i))),
        ])
        for (const [[, x], [, y]] of seen.filter((_, i) => i % 2)) assert.equal(x, y)
      }),
    )
  })
}

describe('multi() on a cluster', () => {
  test('is one slot, whatever its commands are, and follows a slot that moves', async () => {
    const service = await clustered.makeService()
    const client = service.getClient()
    await refuses(client.multi().set('a', 1).sendCommand(['RENAME', 'a', 'b']).exec(), 'E_UNSUPPORTED', /slot/)
    await refuses(client.multi().set('a', 1).eval('return 1', 1, 'b').exec(), 'E_UNSUPPORTED', /slot/)
    assert.equal(await client.exists('a', 'b'), 0)
    const [slot] = cluster.firstSlots
    const [from, to] = cluster.nodes
    const key = cluster.keyIn(slot + 7)
    await client.multi().incr(key).exec()
    await cluster.migrate(slot + 7, from, to)
    assert.deepEqual(await client.multi().incr(key).sendCommand(['OBJECT', 'ENCODING', key]).exec(), [
      [null, 2],
      [null, 'int'],
    ])
    await cluster.migrate(slot + 7, to, from)
    await service.disconnect()
  })

  test('each node has scripts of its own: loading one loads it everywhere', async () => {
    const service = await clustered.makeService()
    const client = service.getClient()
    const sha = await client.sendCommand(['SCRIPT', 'LOAD', "return redis.call('INCR', KEYS[1])"])
    for (const slot of cluster.firstSlots) {
      assert.equal(await client.sendCommand(['EVALSHA', sha, '1', cluster.keyIn(slot)]), 1)
    }
    assert.deepEqual(await client.sendCommand(['SCRIPT', 'EXISTS', sha, '0'.repeat(40)]), [1, 0])
    await cluster.nodes[1].command('SCRIPT', 'FLUSH')
    assert.deepEqual(await client.sendCommand(['SCRIPT', 'EXISTS', sha]), [0])
    assert.equal(await client.dbSize(), 3)
    if (!has.functions) return service.disconnect()
    const library =
      "#!lua name=l\nredis.register_function('plus', function(keys) return redis.call('INCR', keys[1]) end)"
    assert.equal(await client.sendCommand(['FUNCTION', 'LOAD', library]), 'l')
    for (const slot of cluster.firstSlots) {
      assert.equal(await client.sendCommand(['FCALL', 'plus', '1', cluster.keyIn(slot)]), 2)
    }
    await client.sendCommand(['FUNCTION', 'FLUSH'])
    await service.disconnect()
  })

  test('a wait is done at the node that has its keys', async () => {
    const service = await clustered.makeService()
    const client = service.getClient()
    for (const slot of cluster.firstSlots) {
      const key = cluster.keyIn(slot, 'q')
      const wait = client.sendCommand(has.popsOfSeveralKeys ? ['BLMPOP', '5', '1', key, 'LEFT'] : ['BLPOP', key, '5'])
      const beside = client.set(cluster.keyIn(slot, 'x'), 1)
      assert.equal(await beside, 'OK')
      await client.rPush(key, 'element')
      assert.deepEqual(await wait, has.popsOfSeveralKeys ? [key, ['element']] : [key, 'element'])
    }
    await service.disconnect()
  })
})
