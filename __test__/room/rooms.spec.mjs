import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { refuses } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { withRoomsOn } from '../support/with-rooms.mjs'

for (const engine of engines) {
  describe(`rooms on ${engine.name}`, () => {
    const withRooms = withRoomsOn(engine)

    test(
      'knows who is in a room',
      withRooms(async (rooms, client) => {
        assert.deepEqual({ ...(await rooms.getRoomUsers('lobby')) }, {})
        await rooms.addUserToRoom('lobby', 'ann', { name: 'Ann', tags: [] })
        await rooms.addUserToRoom('lobby', 'bob')
        const users = await rooms.getRoomUsers('lobby')
        assert.deepEqual(Object.keys(users).sort(), ['ann', 'bob'])
        assert.deepEqual({ ...users.ann, joinedAt: '' }, { name: 'Ann', tags: [], joinedAt: '' })
        assert.ok(Math.abs(new Date(users.bob.joinedAt) - Date.now()) < 60_000)
        assert.deepEqual(JSON.parse(await client.hGet('room:lobby:users', 'ann')), users.ann)
        await rooms.addUserToRoom('lobby', 'ann', { name: 'Anna' })
        assert.equal((await rooms.getRoomUsers('lobby')).ann.name, 'Anna')
        assert.equal(await rooms.removeUserFromRoom('lobby', 'ann'), 1)
        assert.equal(await rooms.removeUserFromRoom('lobby', 'unknown'), 0)
        assert.deepEqual(Object.keys(await rooms.getRoomUsers('lobby')), ['bob'])
        assert.deepEqual({ ...(await rooms.getRoomUsers('other')) }, {})
      }),
    )

    test(
      'returns a placeholder for a user that is no JSON',
      withRooms(async (rooms, client) => {
        await rooms.addUserToRoom('lobby', 'ann')
        await client.hSet('room:lobby:users', 'broken', '{no json')
        const users = await rooms.getRoomUsers('lobby')
        assert.deepEqual(users.broken, { error: 'Invalid data' })
        assert.ok(users.ann.joinedAt)
      }),
    )

    test(
      'keeps the last 100 messages, the newest first, for 24 hours',
      withRooms(async (rooms, client) => {
        assert.deepEqual(await rooms.getRecentMessages('lobby'), [])
        for (let i = 0; i < 120; i++) await rooms.storeMessage('lobby', { text: `message ${i}` })
        const recent = await rooms.getRecentMessages('lobby')
        assert.deepEqual(
          recent.map(({ text }) => text),
          Array.from({ length: 10 }, (_, i) => `message ${119 - i}`),
        )
        assert.ok(recent[0].timestamp)
        assert.ok(Math.abs(new Date(recent[0].timestamp) - Date.now()) < 60_000)
        assert.equal((await rooms.getRecentMessages('lobby', 500)).length, 100)
        assert.equal((await rooms.getRecentMessages('lobby', 3)).length, 3)
        assert.equal(await client.lLen('room:lobby:messages'), 100)
        assert.equal(JSON.parse(await client.lRange('room:lobby:messages', 0, 0)).text, 'message 119')
        const ttl = await client.ttl('room:lobby:messages')
        assert.ok(ttl > 86_390 && ttl <= 86_400)
      }),
    )

    test(
      'keeps messages as they were given',
      withRooms(async (rooms) => {
        const message = { text: 'ü \u{1f980}', list: [], nested: { deep: [null, 1.5] } }
        await rooms.storeMessage('lobby', message)
        const [stored] = await rooms.getRecentMessages('lobby')
        assert.deepEqual({ ...stored, timestamp: '' }, { ...message, timestamp: '' })
      }),
    )

    test(
      'keeps user ids that objects already have a meaning for',
      withRooms(async (rooms) => {
        for (const user of ['__proto__', 'constructor', 'a*b', 'with space', '%41'])
          await rooms.addUserToRoom('lobby', user, { user })
        const users = await rooms.getRoomUsers('lobby')
        assert.deepEqual(Object.keys(users).sort(), ['%41', '__proto__', 'a*b', 'constructor', 'with space'])
        for (const [id, { user }] of Object.entries(users)) assert.equal(user, id)
      }),
    )

    test(
      'every key it leaves behind has an end',
      withRooms(async (rooms, client) => {
        await rooms.addUserToRoom('lobby', 'ann')
        await rooms.storeMessage('lobby', { text: 'hi' })
        const { keys } = await client.scan(0, { COUNT: 100 })
        assert.ok(keys.length >= 2)
        for (const key of keys) assert.ok((await client.pTTL(key)) > 0, `${key} lives for ever`)
      }),
    )

    test(
      'refuses invalid arguments, and writes nothing then',
      withRooms(async (rooms, client) => {
        const cyclic = {}
        cyclic.self = cyclic
        for (const id of ['', undefined, null, 42, {}, Symbol('x')]) {
          await refuses(rooms.addUserToRoom(id, 'ann'), 'E_INVALID_ARGUMENT')
          await refuses(rooms.addUserToRoom('lobby', id), 'E_INVALID_ARGUMENT')
          if (id !== '') await refuses(rooms.getRoomUsers(id), 'E_INVALID_ARGUMENT')
          await refuses(rooms.storeMessage(id, {}), 'E_INVALID_ARGUMENT')
        }
        for (const data of [cyclic, { n: 1n }, null, 42, () => 1, Symbol('x')]) {
          await refuses(rooms.addUserToRoom('lobby', 'ann', data), 'E_INVALID_ARGUMENT')
          await refuses(rooms.storeMessage('lobby', data), 'E_INVALID_ARGUMENT')
        }
        await refuses(rooms.storeMessage('lobby'), 'E_INVALID_ARGUMENT')
        for (const count of [-1, 1.5, NaN, Infinity, '10', null]) {
          await refuses(rooms.getRecentMessages('lobby', count), 'E_INVALID_ARGUMENT')
        }
        assert.equal(await client.dbSize(), 0)
      }),
    )

    test(
      'keeps to its prefix',
      withRooms(
        async (rooms, client) => {
          await rooms.addUserToRoom('lobby', 'ann')
          assert.equal(await client.exists('r:lobby:users'), 1)
        },
        { prefix: 'r:' },
      ),
    )
  })
}
