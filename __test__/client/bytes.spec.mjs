// What is stored and published comes back as it is: bytes, whole numbers, and names that objects have by themselves.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { refuses, until } from '../helpers.mjs'
import { engines, withClient } from '../support/engines.mjs'

const BYTES = Buffer.from([0xff, 0xfe, 0x00, 0x80, 0x0d, 0x0a])

for (const engine of engines) {
  describe(`bytes and numbers on ${engine.name}`, () => {
    const withRaw = withClient(engine)

    test(
      'bytes come back whole from every kind of key',
      withRaw(async (client, service) => {
        await service.set('b', BYTES)
        assert.deepEqual(await client.getBuffer('b'), BYTES)
        assert.deepEqual(await service.getBuffer('b'), BYTES)
        assert.ok(Buffer.isBuffer(await client.getBuffer('b')))
        assert.equal(await client.getBuffer('none'), null)
        assert.equal(await client.set('copy', await client.getBuffer('b')), 'OK')
        assert.equal(await client.sendCommand(['STRLEN', 'copy']), BYTES.length)
        assert.deepEqual(await client.mGetBuffer('b', 'none', 'copy'), [BYTES, null, BYTES])
        await client.hSet('h', 'f', BYTES)
        assert.deepEqual(await client.hGetBuffer('h', 'f'), BYTES)
        assert.deepEqual(await service.hGetBuffer('h', 'f'), BYTES)
        assert.deepEqual(await client.hMGetBuffer('h', ['f', 'none']), [BYTES, null])
        assert.deepEqual(await client.hValsBuffer('h'), [BYTES])
        assert.deepEqual(await client.hKeysBuffer('h'), [Buffer.from('f')])
        assert.deepEqual({ ...(await client.hGetAllBuffer('h')) }, { f: BYTES })
        await client.rPush('l', BYTES, 'x')
        assert.deepEqual(await client.lRangeBuffer('l', 0, -1), [BYTES, Buffer.from('x')])
        assert.deepEqual([await client.lPopBuffer('l'), await client.rPopBuffer('l')], [BYTES, Buffer.from('x')])
        await client.sAdd('s', BYTES)
        assert.deepEqual(await client.sMembersBuffer('s'), [BYTES])
        await client.zAdd('z', { score: 1, value: BYTES })
        assert.deepEqual(await client.zRangeBuffer('z', 0, -1), [BYTES])
        assert.deepEqual(await client.zRevRangeBuffer('z', 0, -1), [BYTES])
        assert.deepEqual(await client.zRangeByScoreBuffer('z', 0, 2), [BYTES])
        assert.deepEqual(await client.evalBuffer('return { ARGV[1], 1, false }', 0, BYTES), [BYTES, 1, null])
        await client.set(BYTES, 'of a key')
        const keys = await client.sendCommand(['KEYS', '*'], { buffers: true })
        assert.ok(keys.some((key) => key.equals(BYTES)))
      }),
    )

    test(
      'sendCommand returns strings or bytes, as its options say',
      withRaw(async (client) => {
        await client.set('b', BYTES)
        assert.deepEqual(await client.sendCommand(['GET', 'b'], { buffers: true }), BYTES)
        assert.deepEqual(await client.sendCommand(['MGET', 'b', 'none'], { buffers: true }), [BYTES, null])
        assert.equal(await client.sendCommand(['STRLEN', 'b'], { buffers: true }), BYTES.length)
        assert.equal(await client.sendCommand(['ECHO', 'x'], { buffers: false }), 'x')
        for (const bad of [{ buffers: 1 }, { buffer: true }, 'buffers', []]) {
          await refuses(client.sendCommand(['GET', 'b'], bad), 'E_INVALID_ARGUMENT')
        }
      }),
    )

    test(
      'no whole number is another one',
      withRaw(async (client) => {
        await client.set('n', String(2 ** 53 - 2))
        assert.equal(await client.incr('n'), 2 ** 53 - 1)
        for (const digits of ['9007199254740992', '9007199254740993']) {
          const error = await refuses(client.incr('n'), 'E_INVALID_DATA')
          assert.ok(error.message.includes(digits) && !error.retryable, error.message)
        }
        assert.equal(await client.sendCommand(['INCR', 'n']), '9007199254740994')
        assert.equal(await client.get('n'), '9007199254740994')
        assert.equal(await client.sendCommand(['DECRBY', 'n', '18014398509481987']), '-9007199254740993')
        await refuses(client.hIncrBy('h', 'f', '1152921504606846976'), 'E_INVALID_DATA', /1152921504606846976/)
        assert.equal(await client.hGet('h', 'f'), '1152921504606846976')
      }),
    )

    test(
      'messages that are no text are bytes, and all of them are where that is asked for',
      withRaw(async (client, service) => {
        const [seen, raw] = [[], []]
        await service.subscribe('c', (value) => seen.push(value))
        await service.subscribe('c', (value) => raw.push(value), { buffers: true })
        const stream = await service.subscribe('c', { buffers: true })
        await client.publish('c', BYTES)
        await service.publish('c', BYTES)
        await service.publish('c', new Uint8Array([49, 50]))
        await service.publish('c', { a: 'ü' })
        await client.publish('c', 'plain')
        await until('all have come', () => seen.length === 5 && raw.length === 5)
        assert.deepEqual(seen, [BYTES, BYTES, 12, { a: 'ü' }, 'plain'])
        const wanted = [BYTES, BYTES, Buffer.from('12'), Buffer.from('{"a":"ü"}'), Buffer.from('plain')]
        assert.deepEqual(raw, wanted)
        const iterated = []
        for await (const { value } of stream) if (iterated.push(value) === 5) break
        assert.deepEqual(iterated, wanted)
        await refuses(
          service.subscribe('c', () => {}, { buffers: 'yes' }),
          'E_INVALID_ARGUMENT',
        )
      }),
    )

    test(
      'what is made of stored names has no others',
      withRaw(async (client, service) => {
        await client.hSet('h', '__proto__', 'x', 'constructor', 'y')
        for (const all of [await client.hGetAll('h'), await service.hGetAll('h'), await client.hGetAll('none')]) {
          assert.equal(Object.getPrototypeOf(all), null)
          assert.equal(all.toString, undefined)
        }
        assert.deepEqual(Object.entries(await client.hGetAll('h')).sort(), [
          ['__proto__', 'x'],
          ['constructor', 'y'],
        ])
        await service.rooms.addUserToRoom('r', '__proto__', { a: 1 })
        const users = await service.rooms.getRoomUsers('r')
        assert.equal(Object.getPrototypeOf(users), null)
        assert.deepEqual(Object.keys(users), ['__proto__'])
        assert.equal(users.constructor, undefined)
        assert.equal(Object.getPrototypeOf(await service.rooms.getRoomUsers('empty')), null)
      }),
    )

    test(
      'an empty list of keys sends nothing',
      withRaw(async (client, service) => {
        const before = engine.kind === 'redis' ? await client.info('commandstats') : ''
        assert.deepEqual([await client.mGet([]), await client.mGet()], [[], []])
        assert.deepEqual([await client.del([]), await client.unlink([]), await client.exists([])], [0, 0, 0])
        assert.deepEqual([await service.del(), await service.exists()], [0, 0])
        assert.deepEqual(
          [await client.sRem('s', []), await client.hDel('h', []), await client.zRem('z', [])],
          [0, 0, 0],
        )
        assert.deepEqual([await client.sAdd('s', []), await client.hMGet('h', [])], [0, []])
        const names = (text) =>
          [...text.matchAll(/cmdstat_(mget|del|unlink|exists|srem|hdel|zrem|sadd|hmget):/g)].length
        if (engine.kind === 'redis') assert.equal(names(await client.info('commandstats')), names(before))
        await refuses(client.get(), 'E_INVALID_ARGUMENT')
      }),
    )

    test(
      'scanIterator finds every key, page by page',
      withRaw(async (client) => {
        const names = Array.from({ length: 300 }, (_, i) => `scan:${i}`)
        await client.mSet(names.map((name) => [name, 1]))
        await client.set('other', 1)
        const found = new Set()
        for await (const keys of client.scanIterator({ MATCH: 'scan:*', COUNT: 50 })) {
          assert.ok(Array.isArray(keys) && keys.length > 0)
          for (const key of keys) found.add(key)
        }
        assert.deepEqual([...found].sort(), names.sort())
        await refuses(client.scanIterator({ MATCHES: '*' }).next(), 'E_INVALID_ARGUMENT')
      }),
    )

    test(
      'set takes lives and conditions in both ways that node-redis has',
      withRaw(async (client) => {
        assert.equal(await client.set('k', 'v', { expiration: { type: 'EX', value: 100 }, condition: 'NX' }), 'OK')
        assert.equal(await client.ttl('k'), 100)
        assert.equal(await client.set('k', 'w', { condition: 'NX' }), null)
        assert.equal(await client.set('k', 'w', { expiration: 'KEEPTTL' }), 'OK')
        assert.equal(await client.set('k', 'w', { expiration: { type: 'KEEPTTL' }, condition: 'XX' }), 'OK')
        assert.equal(await client.ttl('k'), 100)
        for (const bad of [
          { expiration: { type: 'EX' } },
          { expiration: { type: 'EXAT', value: 1 } },
          { expiration: 100 },
          { expiration: { type: 'EX', value: 1 }, PX: 1 },
          { condition: 'ZZ' },
          { condition: 'NX', XX: true },
        ]) {
          await refuses(client.set('k', 'v', bad), 'E_INVALID_ARGUMENT')
        }
      }),
    )
  })
}

const [memory] = engines

describe('the embedded engine', () => {
  test('says of what it does not have that it has not got it', async () => {
    const service = await memory.makeService()
    const client = service.getClient()
    for (const words of [
      ['XADD', 's', '*', 'a', 'b'],
      ['BLPOP', 'q', '1'],
      ['JSON.GET', 'k'],
      ['no.such', 'k'],
      ['XREAD', 'STREAMS', 's', '0'],
    ]) {
      await refuses(client.sendCommand(words), 'E_UNSUPPORTED', /embedded store does not support the command/)
      await refuses(client.multi().set('k', 1).sendCommand(words).exec(), 'E_UNSUPPORTED')
    }
    assert.equal(await client.exists('k'), 0)
    await service.disconnect()
  })
})
