import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, describe, test } from 'node:test'

import { healthCheck, JobQueue, RealtimeDataManager, RedisService } from 'cinnabar'

import { refuses, until } from '../helpers.mjs'
import { roomsUnheard } from '../support/everything.mjs'
import { startRedis } from '../support/redis.mjs'
import { startRoomProcess } from '../support/rooms.mjs'

const server = await startRedis()
const open = []
after(() => Promise.all(open.map((service) => service.disconnect({ drainMs: 300 }))))

/** A service of a user with these rules, and what its log says. */
async function userWith(name, ...rules) {
  const password = randomUUID()
  await server.command('ACL', 'SETUSER', name, 'reset', 'on', `>${password}`, '~*', '+@all', ...rules)
  const events = []
  const url = server.url.replace('redis://', `redis://${name}:${password}@`)
  const service = new RedisService({ url, log: ({ type, message }) => events.push([type, message]) })
  open.push(service)
  return { service, muted: () => events.filter(([type]) => type === 'muted').map(([, message]) => message) }
}

describe('a user whom the server refuses', () => {
  test('is not advised to allow channels', async () => {
    const { service, muted } = await userWith('refused')
    await server.command('ACL', 'SETUSER', 'refused', 'off')
    const errors = []
    const queue = new JobQueue('mails', { service })
    queue.on('error', ({ code }) => errors.push(code))
    await refuses(queue.add('mail', 1), 'E_AUTH')
    queue.process(() => 1)
    await until('the worker says so', () => errors.includes('E_AUTH'))
    // It asks for its wake-ups before it takes its first job, so that a second refusal of a take comes after theirs.
    const before = errors.length
    await until('the worker is refused again', () => errors.length > before)
    assert.deepEqual(muted(), [])
  })
})

describe('a user who may use no channels', () => {
  test('adds jobs, processes them, and is notified once that it takes a while', async () => {
    const { service, muted } = await userWith('mute', 'resetchannels')
    const queue = new JobQueue('mails', { service, leaseMs: 300 })
    const job = await queue.add('mail', 1, { id: 'a' })
    assert.equal(job.isNew, true)
    assert.equal((await queue.get('a')).state, 'ready')
    await until('it is said', () => muted().length === 1)
    assert.match(muted()[0], /does not let this user publish/)
    const ran = []
    queue.process(({ id, data }) => {
      ran.push(id)
      if (data === 'fails') throw new Error('no')
      return 'x'.repeat(9000)
    })
    assert.equal((await job.finished({ timeoutMs: 10_000 })).length, 9000)
    const unkept = await queue.add('mail', 2, { id: 'b', keep: false })
    assert.equal((await unkept.finished({ timeoutMs: 10_000 })).length, 9000)
    const failing = await queue.add('mail', 'fails', { id: 'c', attempts: 1 })
    await refuses(failing.finished({ timeoutMs: 10_000 }), 'E_JOB_FAILED')
    await queue.pause()
    await queue.resume()
    await queue.repeat('r', { everyMs: 3_600_000 }, 'mail')
    assert.equal(await queue.remove('a'), true)
    assert.deepEqual(ran, ['a', 'b', 'c'])
    const { status, alerts } = await healthCheck(service)
    assert.equal(status, 'degraded')
    assert.ok(
      alerts.some((alert) => alert.startsWith('channels: ')),
      `${alerts}`,
    )
    assert.equal(muted().length, 1)
  })

  test('uses rooms, but cannot listen', async () => {
    const { service } = await userWith('silent', 'resetchannels')
    await roomsUnheard(service)
  })

  test('of one queue, and may use those of another, is notified once, and is not healthy in between', async () => {
    const { service, muted } = await userWith('half', 'resetchannels', '&queue:{queue:allowed}*')
    const [allowed, denied] = ['allowed', 'denied'].map((name) => new JobQueue(name, { service }))
    await denied.add('n')
    for (let i = 0; i < 20; i++) {
      await allowed.add('n')
      assert.equal((await healthCheck(service)).status, 'degraded')
      await denied.add('n')
    }
    assert.equal(muted().length, 1)
  })

  test('is not notified once it may, and is healthy again', async () => {
    const { service, muted } = await userWith('later', 'resetchannels')
    const queue = new JobQueue('later', { service })
    queue.process(() => 'done')
    await (await queue.add('mail')).finished({ timeoutMs: 10_000 })
    await until('it is said', () => muted().length === 1)
    await server.command('ACL', 'SETUSER', 'later', 'allchannels')
    await until(
      'all is well',
      async () => {
        await queue.add('mail')
        return (await healthCheck(service)).status === 'healthy'
      },
      30,
    )
    assert.equal(muted().length, 1)
  })
})

describe('a user who may not publish', () => {
  for (const [what, add] of [
    ['adds many', (queue) => queue.addMany([{ name: 'n' }, { name: 'n' }])],
    ['only works jobs off', (queue, { other }) => other.add('n')],
  ]) {
    test(`is notified where it ${what}`, async () => {
      // It may subscribe: what it is denied is to publish.
      const { service, muted } = await userWith(`p${randomUUID()}`, 'allchannels', '-publish')
      const may = new RedisService({ url: server.url, log: false })
      open.push(may)
      const name = `q${randomUUID()}`
      const queue = new JobQueue(name, { service })
      if (what.startsWith('only')) queue.process(() => 'done')
      await add(queue, { other: new JobQueue(name, { service: may }) })
      await until('it is said', () => muted().some((message) => /publish/.test(message)))
    })
  }

  for (const [what, act] of [
    ['puts a user in a room', ({ rooms }, may) => rooms.addUserToRoom('r', may.user)],
    ['takes a user out of a room', ({ rooms }, may) => rooms.removeUserFromRoom('r', may.added)],
    ['joins', ({ rooms }, may) => rooms.join('r', may.user)],
    ['sends', ({ rooms }) => rooms.send('r', { text: 'a' })],
  ]) {
    test(`is notified where it ${what}`, async () => {
      const { service, muted } = await userWith(`p${randomUUID()}`, 'allchannels', '-publish')
      const may = new RedisService({ url: server.url, log: false })
      open.push(may)
      const added = randomUUID()
      await may.rooms.addUserToRoom('r', added)
      await act(service, { user: randomUUID(), added })
      await until('it is notified', () => muted().length > 0)
      assert.match(muted().join(), /does not let this user publish/)
      assert.equal((await healthCheck(service, { slowMs: 60_000 })).status, 'degraded')
    })
  }

  test('is notified where a member leaves', async () => {
    const { service, muted } = await userWith('leaver', 'allchannels')
    const membership = await service.rooms.join('r', randomUUID())
    await server.command('ACL', 'SETUSER', 'leaver', '-publish')
    assert.equal(muted().length, 0)
    await membership.leave()
    await until('it is notified', () => muted().length > 0)
    assert.match(muted().join(), /publish/)
    // Once it may, that is known with the next message.
    await server.command('ACL', 'SETUSER', 'leaver', '+publish')
    await service.rooms.join('r', randomUUID())
    assert.equal((await healthCheck(service, { slowMs: 60_000 })).status, 'healthy')
  })

  test('is notified where it removes a dead process from a room', async () => {
    const dead = await startRoomProcess(server.url, { leaseMs: 100 })
    await dead.ask('join', [['swept', 'ada']])
    await dead.kill()
    const { service, muted } = await userWith('sweeper', 'allchannels', '-publish')
    const rooms = new RealtimeDataManager(service, { leaseMs: 100 })
    await until('she is gone', async () => Object.keys(await rooms.getRoomUsers('swept')).length === 0)
    await until('it is said', () => muted().length === 1)
  })
})
