import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, mock, test } from 'node:test'

import { RealtimeDataManager, RedisService } from 'cinnabar'

import { rawClient, refuses, runModule, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { withRoomsOn } from '../support/with-rooms.mjs'

const text = ({ type, userId }) => `${type} ${userId}`
const names = async (rooms, room = 'lobby') => Object.keys(await rooms.getRoomUsers(room)).sort()

for (const engine of engines) {
  describe(`members of rooms on ${engine.name}`, () => {
    const withRooms = withRoomsOn(engine)

    test(
      'a user is there from the first connection to the last, with what the first one said',
      withRooms(async (rooms, client) => {
        const first = await rooms.join('lobby', 'ann', { name: 'Ann' })
        assert.deepEqual([first.roomId, first.userId], ['lobby', 'ann'])
        const second = await rooms.join('lobby', 'ann', { name: 'Other' })
        const bob = await rooms.join('lobby', 'bob')
        const users = await rooms.getRoomUsers('lobby')
        assert.deepEqual(Object.keys(users).sort(), ['ann', 'bob'])
        assert.equal(users.ann.name, 'Ann')
        assert.ok(Math.abs(new Date(users.bob.joinedAt) - Date.now()) < 60_000)
        assert.deepEqual(JSON.parse(await client.hGet('room:lobby:users', 'ann')), users.ann)
        await first.leave()
        assert.deepEqual(await names(rooms), ['ann', 'bob'])
        await second.leave()
        assert.deepEqual(await names(rooms), ['bob'])
        await bob.leave()
        assert.deepEqual(await names(rooms), [])
      }),
    )

    test(
      'leave once, however often they are asked to',
      withRooms(async (rooms) => {
        const [first, second] = [await rooms.join('lobby', 'ann'), await rooms.join('lobby', 'ann')]
        await Promise.all([first.leave(), first.leave()])
        await first.leave()
        assert.deepEqual(await names(rooms), ['ann'])
        await second[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]()
        assert.deepEqual(await names(rooms), [])
      }),
    )

    test('all leave at disconnect, at once, and nothing of them is left', async () => {
      const service = await engine.makeService()
      const watching = await engine.makeService(engine.kind === 'memory' ? { url: 'memory:watching' } : {})
      const other = engine.kind === 'memory' ? new RedisService({ url: 'memory:watching' }) : service
      const rooms = new RealtimeDataManager(other)
      const members = await Promise.all(
        Array.from({ length: 700 }, (_, i) => rooms.join(`room${i % 10}`, `user${i}`, { i })),
      )
      const seen = new RealtimeDataManager(watching)
      assert.equal((await names(seen, 'room0')).length, 70)
      await other.disconnect()
      for (let i = 0; i < 10; i++) assert.deepEqual(await names(seen, `room${i}`), [])
      const client = await rawClient(watching)
      const { keys } = await client.scan(0, { COUNT: 10_000 })
      assert.deepEqual(
        keys.filter((key) => !key.includes(':gone:')),
        [],
      )
      assert.ok(keys.length > 0, 'the tombstones are there')
      for (const key of keys) assert.ok((await client.pTTL(key)) > 0, `${key} lives for ever`)
      await Promise.all(members.map((member) => member.leave()))
      await refuses(rooms.join('lobby', 'ann'), 'E_CLOSED')
      await watching.disconnect()
      await service.disconnect()
    })

    test('who was about to join when the service was disconnected is in no room', async () => {
      const watching = await engine.makeService()
      const rooms = new RealtimeDataManager(watching)
      for (let i = 0; i < 20; i++) {
        const service = engine.beside(watching)
        if (i % 2) await service.connect()
        // Whether it still joins is a race; that it stays is not.
        const joining = service.rooms.join('lobby', 'ann').catch(({ code }) => assert.equal(code, 'E_CLOSED'))
        await Promise.all([service.disconnect(), joining])
        assert.deepEqual(await names(rooms), [], `round ${i}`)
      }
      await watching.disconnect()
    })

    test(
      'of two services are there until both have left',
      withRooms(async (rooms, _, service) => {
        const other = new RedisService({ url: 'memory:members', poolSize: 2 })
        const near = engine.kind === 'memory' ? new RedisService({ url: 'memory:members' }) : service
        const far = engine.kind === 'memory' ? other : new RedisService({ url: engine.server.url, poolSize: 2 })
        const here = new RealtimeDataManager(near)
        await here.join('lobby', 'ann')
        await new RealtimeDataManager(far).join('lobby', 'ann')
        await far.disconnect()
        assert.deepEqual(await names(here), ['ann'])
        await near.disconnect()
        await near.connect()
        assert.deepEqual(await names(here), [])
        assert.ok(await here.join('lobby', 'ann'), 'it may join again')
        await near.disconnect()
        await other.disconnect()
      }),
    )

    test(
      'every key that they leave behind has an end',
      withRooms(async (rooms, client) => {
        await rooms.join('lobby', 'ann')
        await rooms.send('lobby', { text: 'hi' })
        const { keys } = await client.scan(0, { COUNT: 100 })
        assert.ok(keys.length >= 6, keys.join(' '))
        for (const key of keys) assert.ok((await client.pTTL(key)) > 0, `${key} lives for ever`)
      }),
    )

    test(
      'are watched: who is there first, then who comes and goes, once a user',
      withRooms(async (rooms) => {
        await rooms.addUserToRoom('lobby', 'old', { n: 1 })
        const seen = []
        const watch = await rooms.watch('lobby', (change) => {
          const { type, userId, user } = change
          assert.deepEqual(Object.keys(change), ['type', 'userId', 'user'])
          assert.equal(watch.users.get(userId), type === 'leave' ? undefined : user, 'users are current')
          seen.push(text(change))
        })
        assert.equal(watch.roomId, 'lobby')
        assert.deepEqual([...watch.users.keys()], ['old'])
        assert.equal(watch.users.get('old').n, 1)
        const members = [await rooms.join('lobby', 'ann', { n: 2 }), await rooms.join('lobby', 'ann')]
        await rooms.join('other', 'bob')
        await rooms.addUserToRoom('lobby', 'ann', { n: 3 })
        await members[0].leave()
        await members[1].leave()
        await rooms.removeUserFromRoom('lobby', 'old')
        await rooms.removeUserFromRoom('lobby', 'unknown')
        await until('all is reported', () => seen.length === 4)
        assert.deepEqual(seen, ['join ann', 'update ann', 'leave ann', 'leave old'])
        assert.equal(watch.users.size, 0)
        await watch.close()
        await watch.close()
        await rooms.join('lobby', 'cid')
        await rooms.getRoomUsers('lobby')
        assert.equal(seen.length, 4)
      }),
    )

    test(
      'are iterated over as they come and go',
      withRooms(async (rooms) => {
        await rooms.join('lobby', 'old')
        const watch = await rooms.watch('lobby')
        assert.deepEqual([...watch.users.keys()], ['old'])
        const [ann, bob] = [await rooms.join('lobby', 'ann', { n: 1 }), await rooms.join('lobby', 'bob')]
        await ann.leave()
        const seen = []
        for await (const change of watch) {
          seen.push(text(change))
          if (change.type === 'leave') {
            assert.equal(change.user.n, 1)
            break
          }
        }
        assert.deepEqual(seen, ['join ann', 'join bob', 'leave ann'])
        await bob.leave()
        assert.deepEqual(await watch[Symbol.asyncIterator]().next(), { done: true, value: undefined })
      }),
    )

    test(
      'many of them reach a slow watcher in order, and it delays no other',
      withRooms(async (rooms) => {
        const seen = []
        const watch = await rooms.watch('lobby', (change) => seen.push(text(change)))
        const slow = await rooms.watch('lobby')
        const members = await Promise.all(Array.from({ length: 3000 }, (_, i) => rooms.join('lobby', `user${i}`)))
        await Promise.all(members.slice(0, 1500).map((member) => member.leave()))
        await until('all is reported', () => seen.length === 4500)
        assert.deepEqual(new Set(seen).size, 4500)
        assert.equal(watch.users.size, 1500)
        let [joined, left] = [0, 0]
        for await (const { type } of slow) {
          if (type === 'join') joined++
          else left++
          if (joined - left === 1500 && slow.users.size === 1500 && !slow.users.has('user0')) break
        }
      }),
    )

    test(
      'ids and data that objects have a meaning for are kept as they are',
      withRooms(async (rooms) => {
        const seen = []
        const watch = await rooms.watch('a{b}*', (change) => seen.push(change))
        const ids = ['__proto__', 'constructor', 'a*b', 'with space', '%41', 'ü\u{1f980}', '1\n2']
        for (const id of ids) await rooms.join('a{b}*', id, { id, joinedAt: 'mine', list: [] })
        assert.deepEqual(await names(rooms, 'a{b}*'), [...ids].sort())
        await until('all is reported', () => seen.length === ids.length)
        assert.deepEqual(
          seen.map(({ userId, user }) => [userId, user.id, user.list]),
          ids.map((id) => [id, id, []]),
        )
        for (const { user } of seen) assert.notEqual(user.joinedAt, 'mine')
        await watch.close()
      }),
    )

    test(
      'refuse invalid arguments, and write nothing then',
      withRooms(async (rooms, client, service) => {
        const cyclic = {}
        cyclic.self = cyclic
        for (const id of ['', undefined, null, 42, {}, Symbol('x'), 'a\u0000b', '\ud800', 'x'.repeat(70_000)]) {
          await refuses(rooms.join(id, 'ann'), 'E_INVALID_ARGUMENT')
          await refuses(rooms.join('lobby', id), 'E_INVALID_ARGUMENT')
          await refuses(rooms.send(id, {}), 'E_INVALID_ARGUMENT')
          if (typeof id === 'string') continue
          await refuses(
            rooms.watch(id, () => {}),
            'E_INVALID_ARGUMENT',
          )
          await refuses(rooms.watch(id), 'E_INVALID_ARGUMENT')
          await refuses(
            rooms.listen(id, () => {}),
            'E_INVALID_ARGUMENT',
          )
        }
        for (const data of [cyclic, { n: 1n }, null, 42, [], 'text', () => 1, Symbol('x'), { x: 'y'.repeat(65_536) }]) {
          await refuses(rooms.join('lobby', 'ann', data), 'E_INVALID_ARGUMENT')
        }
        for (const handler of [null, 42, 'text', Symbol('x')]) {
          await refuses(rooms.watch('lobby', handler), 'E_INVALID_ARGUMENT')
        }
        await refuses(rooms.watch('lobby', { onEror: 1 }), 'E_INVALID_ARGUMENT')
        await refuses(
          rooms.watch('lobby', () => {}, { onError: 1 }),
          'E_INVALID_ARGUMENT',
        )
        for (const leaseMs of [0, 99, 3_600_001, NaN, '5', null, {}]) {
          assert.throws(() => new RealtimeDataManager(service, { leaseMs }), { code: 'E_INVALID_ARGUMENT' })
        }
        assert.throws(() => new RealtimeDataManager(service, { lease: 1 }), { code: 'E_INVALID_ARGUMENT' })
        assert.equal(await client.dbSize(), 0)
      }),
    )

    test(
      'of a room whose key holds something else are refused, and harm no others',
      withRooms(async (rooms, client) => {
        await client.set('room:lobby:users', 'text')
        await refuses(rooms.join('lobby', 'ann'), 'E_WRONG_TYPE')
        await refuses(
          rooms.watch('lobby', () => {}),
          'E_WRONG_TYPE',
        )
        const [other, same] = await Promise.allSettled([rooms.join('other', 'ann'), rooms.join('lobby', 'ann')])
        assert.deepEqual([other.status, same.reason.code], ['fulfilled', 'E_WRONG_TYPE'])
        await other.value.leave()
        assert.deepEqual(await names(rooms, 'other'), [])
      }),
    )

    test(
      'are not joined by a call that was aborted, and left if they were',
      withRooms(async (rooms, client) => {
        const gone = rooms.with({ signal: AbortSignal.abort() })
        await refuses(gone.join('lobby', 'ann'), 'E_ABORTED')
        await refuses(
          gone.watch('lobby', () => {}),
          'E_ABORTED',
        )
        await refuses(gone.listen('lobby'), 'E_ABORTED')
        await refuses(gone.send('lobby', {}), 'E_ABORTED')
        assert.equal(await client.dbSize(), 0)
        const controller = new AbortController()
        const joining = rooms.with({ signal: controller.signal }).join('lobby', 'ann')
        controller.abort()
        await refuses(joining, 'E_ABORTED')
        await until('it has left', async () => {
          return (await client.exists('room:{room:}:nodes')) === 1 && (await names(rooms)).length === 0
        })
      }),
    )

    test(
      'a handler that throws is reported once, and the watch goes on',
      withRooms(async (rooms) => {
        const error = mock.method(console, 'error', () => {})
        const seen = []
        await rooms.watch('lobby', (change) => {
          seen.push(text(change))
          throw new Error('no')
        })
        const members = [await rooms.join('lobby', 'ann'), await rooms.join('lobby', 'bob')]
        for (const member of members) await member.leave()
        await until('all is reported', () => seen.length === 4)
        error.mock.restore()
        assert.equal(error.mock.callCount(), 1)
        assert.match(error.mock.calls[0].arguments[0], /"lobby"/)
      }),
    )

    test(
      "a watcher runs in its caller's asynchronous context",
      withRooms(async (rooms) => {
        const storage = new AsyncLocalStorage()
        const seen = []
        await storage.run('watcher', () => rooms.watch('lobby', () => seen.push(storage.getStore())))
        await storage.run('joiner', () => rooms.join('lobby', 'ann'))
        await until('it is reported', () => seen.length === 1)
        assert.deepEqual(seen, ['watcher'])
      }),
    )

    test('do not keep the process alive; a watcher does, until it is closed', async () => {
      await engine.makeService().then((service) => service.disconnect())
      const source = `
        import { RealtimeDataManager } from 'cinnabar'
        const rooms = RealtimeDataManager
        await rooms.join('lobby', 'ann')
        const watch = await rooms.watch('lobby', async ({ type, userId }) => {
          console.log(type, userId)
          if (type === 'leave') await watch.close()
        })
        setTimeout(async () => {
          await using membership = await rooms.join('lobby', 'bob')
        }, 20)`.replace('await using membership = await', 'await (await') // Node 20 has no such statement.
      const { status, out, err } = await runModule(source.replace("'bob')", "'bob')).leave()"), {
        env: engine.env(),
        timeout: 20_000,
      })
      assert.deepEqual([status, out], [0, 'join bob\nleave bob\n'], err)
    })
  })
}
