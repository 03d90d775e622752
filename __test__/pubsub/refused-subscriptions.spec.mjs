// A user who may not subscribe is refused over the existing connection, however often it tries.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'

import { RedisService } from 'cinnabar'

import { refuses, until } from '../helpers.mjs'
import { startRedis } from '../support/redis.mjs'
import { has } from '../support/server-features.mjs'

const TIMES = 50

describe('a subscription that the server refuses', () => {
  let server, service
  before(async () => {
    server = await startRedis()
    const password = randomUUID()
    await server.command('ACL', 'SETUSER', 'mute', 'on', `>${password}`, '~*', 'resetchannels', '&heard:*', '+@all')
    service = new RedisService({ url: `redis://mute:${password}@127.0.0.1:${server.port}`, log: false, poolSize: 1 })
    await service.connect()
    await service.set('key', 'value')
  })
  after(async () => {
    await service.disconnect()
    await server.stop()
  })

  /** How many connections it took, besides those that count them. */
  const took = async (run) => {
    const earlier = await server.accepted()
    await run()
    return (await server.accepted()) - earlier - 1
  }

  const ways = {
    'a channel': (n) => service.subscribe(`secret:${n}`, () => {}),
    'the same channel': () => service.subscribe('secret', () => {}),
    'a pattern': (n) => service.subscribe(`secret:${n}:*`, () => {}, { pattern: true }),
    ...(has.shardedChannels && {
      'a sharded channel': (n) => service.subscribe(`secret:${n}`, () => {}, { sharded: true }),
    }),
    'a room, by listening': (n) => service.rooms.listen(`r${n}`, () => {}),
    'a room, by watching': (n) => service.rooms.watch(`r${n}`, () => {}),
  }
  for (const [what, subscribe] of Object.entries(ways)) {
    test(`to ${what} costs no connection each time`, async () => {
      const dialled = await took(async () => {
        for (let n = 0; n < TIMES; n++) await refuses(subscribe(n), 'E_AUTH')
      })
      assert.ok(dialled <= 1, `${dialled} connections for ${TIMES} calls`)
    })
  }

  test('costs none where others that are granted come and go in between, and they hear', async () => {
    const heard = []
    const dialled = await took(async () => {
      for (let n = 0; n < 10; n++) {
        await refuses(
          service.subscribe('secret', () => {}),
          'E_AUTH',
        )
        const subscription = await service.subscribe(`heard:${n}`, (value) => heard.push(value))
        await service.publish(`heard:${n}`, n)
        await until('it is heard', () => heard.length === n + 1)
        await subscription.close()
      }
    })
    assert.deepEqual(heard, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    assert.ok(dialled <= 1, `${dialled} connections`)
  })

  test('is granted once the user may, over the same connection', async () => {
    await refuses(
      service.subscribe('secret:now', () => {}),
      'E_AUTH',
    )
    const dialled = await took(async () => {
      await server.command('ACL', 'SETUSER', 'mute', '&secret:now')
      const heard = new Promise((resolve) => service.subscribe('secret:now', resolve))
      await until('it is subscribed', async () => (await service.publish('secret:now', 'at last')) === 1)
      assert.equal(await heard, 'at last')
    })
    // The user was changed over one of its own.
    assert.ok(dialled <= 1, `${dialled} connections`)
  })
})

test('a wrong password is not sent once for each subscription', async () => {
  const server = await startRedis({ args: ['--requirepass', 'right'], password: 'right' })
  const service = new RedisService({ url: `redis://:wrong@127.0.0.1:${server.port}`, log: false, connectWaitMs: 50 })
  for (let n = 0; n < TIMES; n++)
    await refuses(
      service.subscribe('channel', () => {}),
      'E_AUTH',
    )
  const received = await server.accepted()
  assert.ok(received < 15, `${received} connections for ${TIMES} calls`)
  await service.disconnect()
  await server.stop()
})
