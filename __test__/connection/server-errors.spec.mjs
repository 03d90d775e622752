// What kind of error a server's refusal is: its first word decides, wherever it was said.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, describe, test } from 'node:test'

import { RedisService } from 'cinnabar'

import { refuses, until } from '../helpers.mjs'
import { fakeServer } from '../support/fake-server.mjs'
import { startRedis } from '../support/redis.mjs'

const open = []

function make(options) {
  const service = new RedisService({ timeoutMs: 2000, log: false, ...options })
  open.push(service)
  return service
}

after(() => Promise.all(open.map((service) => service.disconnect())))

const NOT_NOW = [
  'LOADING Redis is loading the dataset in memory',
  'BUSY Redis is busy running a script.',
  "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  'ERR max number of clients reached',
  'ERR max number of clients + cluster connections reached',
  'ERR max concurrent connections exceeded',
  'ERR max daily request limit exceeded. Limit: 10000',
  'ERR upstream failure',
]

describe('while a connection is made', () => {
  for (const word of ['AUTH', 'SELECT', 'PING']) {
    test(`a server that cannot process ${word} now is E_UNAVAILABLE, and features do without`, async () => {
      for (const said of NOT_NOW) {
        const server = await fakeServer((words) => (words[0] === word ? `-${said}\r\n` : '+OK\r\n'))
        const service = make({ url: `redis://:password@127.0.0.1:${server.port}/1`, timeoutMs: 5000 })
        const error = await refuses(service.get('key'), 'E_UNAVAILABLE')
        assert.equal(error.retryable, true, said)
        assert.equal(error.serverCode, said.split(' ')[0])
        assert.ok(error.message.includes(said.split(' ').slice(0, 3).join(' ')), error.message)
        assert.equal(await service.cache.getOrSet('key', () => 'loaded'), 'loaded')
        assert.equal((await service.limiter.checkRateLimit('a', 5, 60)).allowed, true)
        await service.disconnect()
        await server.close()
      }
    })
  }

  test('a refusal that is about neither the user nor the database is E_UNAVAILABLE whatever it replies to', async () => {
    for (const said of [
      'OOM command not allowed when used memory > maxmemory',
      'UNKILLABLE no',
      'PROXYDOWN a-password',
    ]) {
      for (const [word, scheme] of [
        ['AUTH', 'redis'],
        ['SELECT', 'redis'],
        ['PING', 'redis'],
        ['CLUSTER', 'redis-cluster'],
      ]) {
        const server = await fakeServer((words) => (words[0] === word ? `-${said}\r\n` : '+OK\r\n'))
        const database = scheme === 'redis' ? '/1' : ''
        const url = `${scheme}://:a-password@127.0.0.1:${server.port}${database}`
        const service = make({ url, timeoutMs: 5000 })
        const error = await refuses(service.get('key'), 'E_UNAVAILABLE')
        assert.ok(error.retryable && error.message.includes(said.split(' ')[0]), error.message)
        assert.equal(error.serverCode, said.split(' ')[0])
        assert.ok(!error.message.includes('a-password'), error.message)
        assert.equal(await service.cache.getOrSet('key', () => 'loaded'), 'loaded')
        await service.disconnect()
        await server.close()
      }
    }
  })

  test('a server at its limit is the same with a password as without', async () => {
    for (const password of [undefined, 'a-password']) {
      const server = await startRedis({ args: password ? ['--requirepass', password] : [], password })
      await server.command('CONFIG', 'SET', 'maxclients', '1')
      const service = make({ url: server.url, connectWaitMs: 200 })
      // The connection that holds the only place.
      const other = make({ url: server.url, poolSize: 1 })
      await other.set('key', 'value')
      const error = await refuses(service.get('key'), 'E_UNAVAILABLE')
      assert.equal(error.retryable, true)
      assert.equal(await service.cache.getOrSet('key', () => 'loaded'), 'loaded')
      await Promise.all([service.disconnect(), other.disconnect()])
      await server.stop()
    }
  })

  test('a server in protected mode is E_AUTH, whenever it says so', async () => {
    const denied =
      '-DENIED Redis is running in protected mode because protected mode is enabled and no password is set.\r\n'
    for (const first of ['PING', 'GET']) {
      const server = await fakeServer(([command]) => (command === first ? denied : undefined))
      const service = make({ url: server.url })
      try {
        await refuses(service.get('key'), 'E_AUTH', /DENIED Redis is running in protected mode/)
      } finally {
        await service.disconnect()
        await server.close()
      }
    }
  })

  test('a database that the server or a proxy does not have is E_UNSUPPORTED', async () => {
    const proxy = await fakeServer((words) => (words[0] === 'SELECT' ? `-ERR unknown command 'SELECT'\r\n` : '+OK\r\n'))
    await refuses(make({ url: `${proxy.url}/3` }).get('key'), 'E_UNSUPPORTED', /database 3 cannot be selected/)
    const server = await startRedis({ args: ['--databases', '2'] })
    await refuses(make({ url: `${server.url}/9` }).get('key'), 'E_UNSUPPORTED', /database 9 cannot be selected/)
    await proxy.close()
    await server.stop()
  })

  test('a proxy that knows no PING is there', async () => {
    const proxy = await fakeServer(
      (words) => ({ PING: "-ERR unknown command 'PING'\r\n", GET: '$1\r\n1\r\n' })[words[0]],
    )
    assert.equal(await make({ url: proxy.url }).get('key'), '1')
    await proxy.close()
  })
})

/** Makes a user who may do this and nothing else; returns the password. */
async function mayOnly(server, name, ...rules) {
  const password = randomUUID()
  await server.command('ACL', 'SETUSER', name, 'on', `>${password}`, '~*', '&*', '-@all', ...rules)
  return password
}

describe('after a connection was made', () => {
  test('the code of a refusal is a property of the error', async () => {
    const server = await startRedis()
    const service = make({ url: server.url })
    await service.set('text', 'a')
    const wrong = await refuses(service.getClient().lPush('text', 'b'), 'E_WRONG_TYPE')
    assert.equal(wrong.serverCode, 'WRONGTYPE')
    const general = await refuses(service.getClient().incrBy('text', 1), 'E_SERVER')
    assert.equal(general.serverCode, 'ERR')
    const group = ['XGROUP', 'CREATE', 'stream', 'readers', '$', 'MKSTREAM']
    await service.getClient().sendCommand(group)
    const twice = await refuses(service.getClient().sendCommand(group), 'E_SERVER')
    assert.equal(twice.serverCode, 'BUSYGROUP')
    const own = await refuses(service.set('', 'a'), 'E_INVALID_ARGUMENT')
    assert.ok(!('serverCode' in own))
    await service.disconnect()
    await server.stop()
  })

  test('the circuit breaker rejects with the code of the last error', async () => {
    const server = await fakeServer(([command]) => (command === 'PING' ? '-LOADING Redis is loading\r\n' : '+OK\r\n'))
    const service = make({ url: server.url, timeoutMs: 2000, breaker: { volume: 1 } })
    let error
    await until('the breaker is open', async () => {
      error = await refuses(service.get('key'), 'E_UNAVAILABLE')
      return /circuit breaker/.test(error.message)
    })
    assert.equal(error.serverCode, 'LOADING')
    await service.disconnect()
    await server.close()
  })
})

describe('who may do little', () => {
  test('works without PING, is healthy, and hears messages', async () => {
    const server = await startRedis()
    const password = await mayOnly(server, 'plain', '+@read', '+@write', '+@pubsub')
    const service = make({ url: `redis://plain:${password}@127.0.0.1:${server.port}`, keepAliveMs: 100, poolSize: 1 })
    await service.set('key', 'value')
    const heard = new Promise((resolve) => service.subscribe('channel', resolve))
    // Keepalives of both connections are refused meanwhile, and neither ends for that.
    const refused = async () =>
      Number(/cmdstat_ping:.*rejected_calls=(\d+)/.exec(await server.command('INFO', 'commandstats'))?.[1] ?? 0)
    await until('it is refused often enough', async () => (await refused()) >= 6)
    await service.publish('channel', 'message')
    await heard
    const made = await server.accepted()
    assert.equal(await service.get('key'), 'value')
    const { status } = await service.healthCheck()
    assert.equal(status, 'connected')
    assert.equal(await server.accepted(), made + 1)
    await service.disconnect()
    await server.stop()
  })

  test('gets E_AUTH for what is refused within a script', async () => {
    const server = await startRedis()
    const password = await mayOnly(server, 'few', '+@read', '+@write', '+@scripting')
    const service = make({ url: `redis://few:${password}@127.0.0.1:${server.port}` })
    await service.connect()
    await refuses(service.getClient().eval("return redis.call('TIME')", 0), 'E_AUTH')
    await refuses(service.sessions.createSession('user', {}), 'E_AUTH')
    await service.disconnect()
    await server.stop()
  })

  test('is whom the URL names, with a password or without', async () => {
    const server = await startRedis()
    await server.command('ACL', 'SETUSER', 'guest', 'on', 'nopass', '~guest:*', '+@all', '-@dangerous', '+acl|whoami')
    const at = `127.0.0.1:${server.port}`
    const who = async (options) => {
      const service = make(options)
      await service.connect()
      return service.getClient().sendCommand(['ACL', 'WHOAMI'])
    }
    assert.equal(await who({ url: `redis://guest@${at}` }), 'guest')
    assert.equal(await who({ url: `redis://guest:@${at}` }), 'guest')
    assert.equal(await who({ url: `redis://${at}`, username: 'guest' }), 'guest')
    assert.equal(await who({ url: `redis://${at}`, username: 'guest', password: '' }), 'guest')
    assert.equal(await who({ url: `redis://default@${at}` }), 'default')
    assert.equal(await who({ url: `redis://${at}`, password: '' }), 'default')
    assert.equal(await who({ url: `redis://${at}`, username: '', password: '' }), 'default')
    await refuses(who({ url: `redis://unknown@${at}` }), 'E_AUTH')
    await Promise.all(open.splice(0).map((service) => service.disconnect()))
    await server.stop()
  })
})
