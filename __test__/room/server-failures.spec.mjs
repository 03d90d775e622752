import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

import { RealtimeDataManager, RedisService } from 'cinnabar'

import { rawClient, refuses, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const redis = engines.find((engine) => engine.kind === 'redis')
const { server } = redis
const names = async (rooms, room = 'lobby') => Object.keys(await rooms.getRoomUsers(room)).sort()
const quiet = { log: false, breaker: false }

describe('rooms while their server is in trouble', () => {
  test('a join that hangs ends in time, and its membership is removed', async () => {
    const service = await redis.makeService(quiet)
    const rooms = new RealtimeDataManager(service, { leaseMs: 2000 })
    await rooms.join('lobby', 'ann')
    server.pause()
    const error = await refuses(rooms.with({ timeoutMs: 200 }).join('lobby', 'bob'), 'E_TIMEOUT')
    assert.equal(error.retryable, true)
    server.resume()
    const refs = () => server.command('HGETALL', 'room:{room:lobby:users}:refs')
    await rooms.join('lobby', 'cid')
    await until('only those are there who were let in', async () => (await names(rooms)).join() === 'ann,cid')
    assert.deepEqual((await refs()).sort(), ['1', '1', 'ann', 'cid'])
    await service.disconnect()
    assert.equal(await server.command('EXISTS', 'room:lobby:users'), 0)
  })

  test('a leave that cannot be sent never rejects, and is sent later', async () => {
    const service = await redis.makeService({ ...quiet, timeoutMs: 500 })
    const rooms = new RealtimeDataManager(service, { leaseMs: 60_000 })
    const [ann, bob] = [await rooms.join('lobby', 'ann'), await rooms.join('lobby', 'bob')]
    server.pause()
    const started = performance.now()
    await ann.leave()
    assert.ok(performance.now() - started < 3000)
    await ann.leave()
    server.resume()
    await until('it is reported', async () => (await names(rooms)).join() === 'bob')
    await bob.leave()
    assert.deepEqual(await names(rooms), [])
    await service.disconnect()
  })

  test('without a server everything is refused, with a code, whatever calls return otherwise', async () => {
    await redis.makeService(quiet).then((service) => service.disconnect())
    await server.stop()
    const service = new RedisService({
      url: server.url,
      onUnavailable: 'empty',
      connectWaitMs: 200,
      ...quiet,
    })
    const rooms = service.rooms
    await refuses(rooms.join('lobby', 'ann'), 'E_UNAVAILABLE')
    await refuses(rooms.send('lobby', {}), 'E_UNAVAILABLE')
    await refuses(rooms.listen('lobby'), 'E_UNAVAILABLE')
    await refuses(rooms.watch('lobby'), 'E_UNAVAILABLE')
    await server.start()
    await until('it may join', () => rooms.join('lobby', 'ann').catch(() => false))
    assert.deepEqual(await names(rooms), ['ann'])
    await service.disconnect()
  })

  test('a disconnect whose server is away does not wait for it for long', async () => {
    const service = await redis.makeService(quiet)
    const rooms = new RealtimeDataManager(service, { leaseMs: 500 })
    await rooms.join('lobby', 'ann')
    server.pause()
    const started = performance.now()
    await service.disconnect({ drainMs: 300 })
    assert.ok(performance.now() - started < 2000)
    server.resume()
    const other = await redis.makeService(quiet)
    await other.disconnect()
  })

  test('after disconnect no connection is left, with members, listeners and watchers', async () => {
    const service = await redis.makeService(quiet)
    const connections = async () => (await server.command('CLIENT', 'LIST')).split('\n').filter(Boolean).length
    await until('only this one asks', async () => (await connections()) === 1)
    const rooms = new RealtimeDataManager(service)
    await Promise.all([rooms.join('lobby', 'ann'), rooms.listen('lobby', () => {}), rooms.watch('lobby')])
    await rooms.getRoomUsers('lobby')
    assert.ok((await connections()) >= 3)
    await service.disconnect()
    await until('only this one asks', async () => (await connections()) === 1, 5)
    await service.connect()
    await (await rooms.join('lobby', 'ann')).leave()
    await service.disconnect()
    await until('only this one asks', async () => (await connections()) === 1, 5)
  })

  test('a user who may use nothing but the documented keys, and no channel, may still use the documented calls', async () => {
    const password = randomUUID()
    await server.command('ACL', 'SETUSER', 'narrow', 'on', `>${password}`, '~room:[^{]*', 'resetchannels', '+@all')
    const service = await redis.makeService({ username: 'narrow', password, ...quiet })
    const { rooms } = service
    await server.command('DEL', 'room:lobby:users')
    await rooms.addUserToRoom('lobby', 'ann')
    assert.deepEqual(await names(rooms), ['ann'])
    assert.equal(await rooms.removeUserFromRoom('lobby', 'ann'), 1)
    await rooms.storeMessage('lobby', { n: 1 })
    assert.equal((await rooms.getRecentMessages('lobby')).length, 1)
    await refuses(rooms.join('lobby', 'ann'), 'E_AUTH')
    await refuses(rooms.send('lobby', {}), 'E_AUTH')
    await refuses(
      rooms.listen('lobby', () => {}),
      'E_AUTH',
    )
    assert.deepEqual(await names(rooms), [])
    await service.disconnect()
  })

  test('a listener whose connection is cut again and again misses nothing', async () => {
    const service = await redis.makeService(quiet)
    const { rooms } = service
    const heard = []
    await rooms.listen('lobby', ({ n }) => heard.push(n), { onGap: ({ missed }) => heard.push({ missed }) })
    for (let n = 0; n < 300; n++) {
      await rooms.send('lobby', { n })
      if (n % 20 === 10) {
        // What it may miss is bounded.
        await until('it has caught up', () => heard.length > n)
        await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
      }
      await sleep(3)
    }
    await until('all have come', () => heard.length >= 300, 30)
    assert.deepEqual(
      heard,
      Array.from({ length: 300 }, (_, n) => n),
    )
    await service.disconnect()
  })

  test('a watcher whose connection is cut sees what has changed meanwhile, once', async () => {
    const service = await redis.makeService(quiet)
    const { rooms } = service
    const other = await redis.makeService({ ...quiet, poolSize: 1 })
    const seen = []
    const watch = await rooms.watch('lobby', ({ type, userId }) => seen.push(`${type} ${userId}`))
    const ann = await other.rooms.join('lobby', 'ann')
    await until('it is reported', () => seen.length === 1)
    const client = await rawClient(other)
    // Cut, and changed before it can be back.
    await client
      .multi()
      .hDel('room:lobby:users', 'ann')
      .hSet('room:lobby:users', 'bob', '{"n":1}')
      .hSet('room:lobby:users', 'cid', '{"n":1}')
      .exec()
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await until('the difference is reported', () => seen.length === 4)
    assert.deepEqual(seen, ['join ann', 'leave ann', 'join bob', 'join cid'])
    assert.deepEqual([...watch.users.keys()].sort(), ['bob', 'cid'])
    await ann.leave()
    await Promise.all([service.disconnect(), other.disconnect()])
  })

  test('members of a worker thread leave when it ends, however that is', async () => {
    const service = await redis.makeService(quiet)
    const { rooms } = service
    await rooms.join('lobby', 'main')
    const source = `
      const { parentPort, workerData } = require('node:worker_threads')
      const { RealtimeDataManager, RedisService } = require(workerData.path)
      const service = new RedisService({ url: workerData.url, log: false, poolSize: 3 })
      service.rooms.join('lobby', 'worker').then((membership) => {
        globalThis.kept = membership
        parentPort.postMessage('joined')
        if (workerData.stays) setInterval(() => {}, 1000)
      })`
    const path = new URL('../../index.js', import.meta.url).pathname
    for (const stays of [true, false]) {
      const worker = new Worker(source, { eval: true, workerData: { url: server.url, path, stays } })
      await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
      if (stays) {
        assert.deepEqual(await names(rooms), ['main', 'worker'])
        await worker.terminate()
      }
      await until('it has left', async () => (await names(rooms)).join() === 'main', 5)
    }
    await service.disconnect()
  })
})
