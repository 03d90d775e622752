import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { JobQueue, RedisService } from 'cinnabar'

import { refuses, until } from '../helpers.mjs'
import { startRedis } from '../support/redis.mjs'
import { has } from '../support/server-features.mjs'

const server = await startRedis()
const databases = [0, 1, 11].map((db) => new RedisService({ url: `${server.url}/${db}`, log: false }))
const [production, staging, other] = databases
after(() => Promise.all(databases.map((service) => service.disconnect({ drainMs: 300 }))))

describe('two databases of one server', () => {
  test('have rooms of their own', async () => {
    const heard = []
    for (const service of databases) {
      await service.rooms.listen('lobby', ({ text }) => heard.push(text), { onGap: () => heard.push('gap') })
      await service.rooms.watch('lobby', ({ type, userId }) => heard.push(`${type} ${userId}`))
    }
    for (const service of [staging, production, other]) {
      const name = `db ${databases.indexOf(service)}`
      const before = heard.length
      await service.rooms.join('lobby', name)
      await service.rooms.send('lobby', { text: `from ${name}` })
      await until('it is heard', () => heard.length >= before + 2)
    }
    // Arrives behind whatever else a room hears.
    for (const service of databases) await service.rooms.send('lobby', { text: 'end' })
    await until('all have heard the end', () => heard.filter((one) => one === 'end').length === databases.length)
    for (const service of databases) await service.rooms.join('lobby', 'end')
    await until('all have seen the end', () => heard.filter((one) => one === 'join end').length === databases.length)
    const others = heard.filter((one) => !one.endsWith('end'))
    assert.deepEqual(others.sort(), ['from db 0', 'from db 1', 'from db 2', 'join db 0', 'join db 1', 'join db 2'])
  })

  test('have queues of their own: no event reaches the other one', async () => {
    const [live, ours] = [production, staging].map((service) => new JobQueue('mails', { service }))
    const events = []
    ours.on('completed', ({ id }) => events.push(id))
    const job = await ours.add('mail', null, { id: 'invoice-7', delay: 3_600_000 })
    const ends = refuses(job.finished({ timeoutMs: 1500 }), 'E_TIMEOUT')
    live.process(() => 'production')
    assert.equal(await (await live.add('mail', null, { id: 'invoice-7' })).finished(), 'production')
    await ends
    assert.deepEqual(events, [])
    ours.process(() => 'staging')
    assert.equal(await (await ours.add('mail')).finished({ timeoutMs: 5000 }), 'staging', 'its own are heard')
    await until('that is reported', () => events.length === 1)
  })

  test('have channels of their own, by name, pattern and shard, and one calls them by their names', async () => {
    const heard = []
    const names = ['production', 'staging', 'other']
    for (const [at, service] of databases.entries()) {
      const note = (kind) => (value, channel) => heard.push([names[at], kind, channel, value])
      await service.subscribe('prism:events', note('name'))
      await service.subscribe('*', note('pattern'), { pattern: true })
      if (has.shardedChannels) await service.subscribe('prism:shard', note('shard'), { sharded: true })
    }
    for (const [at, service] of databases.entries()) {
      await service.publish('prism:events', names[at])
      if (has.shardedChannels) await service.publish('prism:shard', names[at], { sharded: true })
    }
    // Arrives behind whatever else a channel hears.
    for (const service of databases) {
      await service.publish('prism:events', 'end')
      if (has.shardedChannels) await service.publish('prism:shard', 'end', { sharded: true })
    }
    const isEnd = ([, , , value]) => value === 'end'
    await until('all have heard the end', () => heard.filter(isEnd).length >= (has.shardedChannels ? 9 : 6))
    heard.splice(0, heard.length, ...heard.filter((one) => !isEnd(one)))
    const of = (name) => [
      [name, 'name', 'prism:events', name],
      [name, 'pattern', 'prism:events', name],
      ...(has.shardedChannels ? [[name, 'shard', 'prism:shard', name]] : []),
    ]
    assert.deepEqual(heard.sort(), names.flatMap(of).sort())
  })

  test('keep the names of database 0 as they are, and what the server itself publishes', async () => {
    const heard = []
    const { url } = server
    const plain = new RedisService({ url, log: false })
    await plain.subscribe('plain', (value) => heard.push(value))
    await staging.subscribe('__keyevent@1__:del', (value, channel) => heard.push(channel), { pattern: true })
    await server.command('PUBLISH', 'plain', '"as it is"')
    await server.command('CONFIG', 'SET', 'notify-keyspace-events', 'KEA')
    await staging.set('key', 'value')
    await staging.del('key')
    await until('both are heard', () => heard.length >= 2)
    assert.deepEqual(heard, ['as it is', '__keyevent@1__:del'])
    await plain.disconnect()
  })
})
