// A user who may not run all commands of a call is refused before it has changed anything; on Redis 6.2, which cannot be asked
// beforehand, when it comes to the command.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, describe, test } from 'node:test'

import { RedisService } from 'cinnabar'

import { refuses } from '../helpers.mjs'
import { startRedis } from '../support/redis.mjs'
import { has } from '../support/server-features.mjs'
import { openWire } from '../support/wire.mjs'

const server = await startRedis()
const wire = await openWire(server)
const owner = new RedisService({ url: server.url })

/** Every key with its value, and whether it has an end. */
async function everything() {
  const keys = (await wire.call('KEYS', '*')).sort()
  const rows = keys.map(async (key) => [key, await wire.call('DUMP', key), (await wire.call('PTTL', key)) > 0])
  return Promise.all(rows)
}

const calls = {
  'cache.set': [['del'], (service) => service.cache.set('kept', 2)],
  'cache.setMany': [['del'], (service) => service.cache.setMany([{ key: 'kept', value: 2 }])],
  checkLimit: [['pexpire', 'decr'], (service) => service.limiter.checkLimit('limit', 5, 60)],
  checkRateLimit: [['pexpire', 'decr'], (service) => service.limiter.checkRateLimit('a-user', 5, 60)],
  addUserToRoom: [['pexpire'], (service) => service.rooms.addUserToRoom('lobby', 'bob', {})],
  storeMessage: [['pexpire', 'ltrim'], (service) => service.rooms.storeMessage('lobby', {})],
  send: [['pexpire', 'ltrim', 'hset'], (service) => service.rooms.send('lobby', {})],
  'queue.add': [['zadd', 'hset'], (service) => service.queue('mails').add('mail', 1, { id: 'new' })],
  'queue.add with dedup': [['set', 'zadd'], (service) => service.queue('mails').add('mail', 1, { dedup: 'same' })],
  'queue.addMany': [
    ['zadd', 'hset'],
    (service) =>
      service.queue('mails').addMany([
        { name: 'mail', data: 1 },
        { name: 'mail', data: 2 },
      ]),
  ],
  'queue.remove': [
    ['unlink', 'exists', 'hdel', 'zscore', 'zrem'],
    (service) => service.queue('mails').remove('waiting'),
  ],
  'queue.drain': [['unlink', 'hdel', 'zscore'], (service) => service.queue('mails').drain()],
  'queue.clean': [['unlink', 'hdel', 'zscore'], (service) => service.queue('mails').clean('ready')],
  'queue.retry': [['zadd', 'zrem', 'zcard'], (service) => service.queue('mails').retry('later')],
  'queue.repeat': [['zadd'], (service) => service.queue('mails').repeat('new', { everyMs: 60_000 }, 'mail', 1)],
  'queue.unrepeat': [['zrem', 'del'], (service) => service.queue('mails').unrepeat('hourly')],
}

/** Commands that these calls run only in cases that do not occur here. */
const SELDOM = ['decr']

describe('a user without one of the commands', () => {
  async function fill() {
    await wire.call('FLUSHALL')
    await owner.cache.set('kept', 1)
    await owner.rooms.addUserToRoom('lobby', 'ada', {})
    await owner.rooms.storeMessage('lobby', { text: 'hello' })
    const queue = owner.queue('mails')
    await queue.add('mail', 1, { id: 'waiting' })
    await queue.add('mail', 1, { id: 'later', delay: 3_600_000 })
    await queue.repeat('hourly', { everyMs: 3_600_000 }, 'mail', 1)
  }
  before(fill)
  // Redis 6.2 has done a part of what it then refused.
  if (!has.dryRun) beforeEach(fill)
  after(async () => {
    wire.close()
    await owner.disconnect()
    await server.stop()
  })

  for (const [name, [commands, call]] of Object.entries(calls)) {
    for (const command of commands) {
      const isAsked = has.dryRun || !SELDOM.includes(command)
      const what = !isAsked
        ? 'works'
        : has.dryRun
          ? 'is E_AUTH and changes nothing, alone or beside others'
          : 'is E_AUTH'
      test(`${name} without ${command} ${what}`, async () => {
        const [username, password] = [randomUUID(), randomUUID()]
        await wire.call('ACL', 'SETUSER', username, 'on', `>${password}`, '~*', '&*', '+@all', `-${command}`)
        const service = new RedisService({ url: server.url, username, password })
        const state = await everything()
        if (has.dryRun) {
          await refuses(call(service), 'E_AUTH', new RegExp(`'${command}'`))
          await Promise.all([1, 2, 3].map(() => refuses(call(service), 'E_AUTH')))
          assert.deepEqual(await everything(), state)
        } else if (isAsked) await refuses(call(service), 'E_AUTH', /can't run this command/)
        else await call(service)
        await service.disconnect()
      })
    }
  }

  test('may do what needs the others', async () => {
    const [username, password] = [randomUUID(), randomUUID()]
    await wire.call('ACL', 'SETUSER', username, 'on', `>${password}`, '~*', '&*', '+@all', '-ltrim', '-unlink')
    const service = new RedisService({ url: server.url, username, password })
    await service.cache.set('kept', 3)
    assert.equal((await service.queue('mails').add('mail', 1)).isNew, true)
    assert.equal((await service.limiter.checkRateLimit('another', 5, 60)).allowed, true)
    await service.disconnect()
  })
})
