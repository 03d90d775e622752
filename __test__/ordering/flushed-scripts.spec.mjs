// Scripts that a server has forgotten, among calls on the same keys.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'

import { DistributedLock, RedisService } from 'cinnabar'

import { freePort } from '../support/processes.mjs'
import { startRedis } from '../support/redis.mjs'

const settled = async (calls) => (await Promise.allSettled(calls)).map(({ value, reason }) => reason?.code ?? value)

describe('a script that the server has forgotten', () => {
  let server
  let service
  let client
  let lock
  before(async () => {
    server = await startRedis()
    service = new RedisService({ url: server.url, log: false })
    await service.connect()
    client = service.getClient()
    lock = new DistributedLock(service)
    // From here on the release travels by its SHA-1.
    assert.equal(await lock.releaseLock('warm', await lock.acquireLock('warm', 5)), true)
  })
  after(async () => {
    await service.disconnect()
    await server.stop()
  })

  test('is reported where a caller runs it by its SHA-1, whatever else is called on its key', async () => {
    const unknown = ['EVALSHA', randomBytes(20).toString('hex'), '1', 'k']
    const [run, count] = await Promise.allSettled([client.sendCommand(unknown), client.incr('k')])
    assert.equal(run.reason.code, 'E_SERVER')
    assert.match(run.reason.message, /^NOSCRIPT/)
    assert.equal(count.value, 1)
  })

  test('runs all the same, also where a later call on its key was executed first', async () => {
    const token = await lock.acquireLock('r', 30)
    await server.command('SCRIPT', 'FLUSH')
    const [released] = await Promise.all([lock.releaseLock('r', token), lock.acquireLock('r', 30)])
    assert.equal(released, true)
    assert.equal(await client.exists('lock:r'), 0)
    assert.equal((await settled([lock.releaseLock('r', token)]))[0], false)
  })

  test('runs at once beside an earlier call of its round that is refused and has to be retried', async () => {
    const replica = await startRedis()
    const other = new RedisService({ url: replica.url, log: false, timeoutMs: 3000 })
    await other.connect()
    const there = new DistributedLock(other)
    assert.equal(await there.releaseLock('warm', await there.acquireLock('warm', 5)), true)
    // Refuses writes with READONLY from now on, and runs scripts.
    await replica.command('SCRIPT', 'FLUSH')
    await replica.command('REPLICAOF', '127.0.0.1', String(await freePort()))
    const calls = [other.getClient().set('lock:r', '1'), there.releaseLock('r', 'unknown')]
    assert.deepEqual(await settled(calls), ['E_UNAVAILABLE', false])
    await other.disconnect()
    await replica.stop()
  })
})
