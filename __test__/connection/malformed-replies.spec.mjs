// Servers that send what no server sends, hang up or stop reading: what it costs, and whom.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { RedisService } from 'cinnabar'

import { refuses, until } from '../helpers.mjs'
import { fakeServer } from '../support/fake-server.mjs'
import { startRedis } from '../support/redis.mjs'

const services = []

function make(options) {
  const service = new RedisService({ log: false, ...options })
  services.push(service)
  return service
}

after(() => Promise.all(services.map((service) => service.disconnect())))

describe('a reply', () => {
  test('that is nested too deep or too long costs its call, and no neighbour', async () => {
    const replies = {
      deep: '*1\r\n'.repeat(5000) + ':1\r\n',
      wide: `*3\r\n:1\r\n${'*2\r\n:1\r\n'.repeat(300)}:1\r\n$2\r\nab\r\n`,
      status: `+${'x'.repeat((1 << 20) + 10)}\r\n`,
    }
    const server = await fakeServer((words) => (words[0] === 'GET' ? (replies[words[1]] ?? '$1\r\n1\r\n') : undefined))
    const client = make({ url: server.url, poolSize: 1 })
    await client.connect()
    const raw = client.getClient()
    for (const name of Object.keys(replies)) {
      const [bad, good] = await Promise.all([
        refuses(raw.sendCommand(['GET', name]), 'E_UNSUPPORTED'),
        raw.sendCommand(['GET', 'other']),
      ])
      assert.equal(bad.retryable, false)
      assert.equal(good, '1')
    }
    assert.equal(server.connections, 1)
    await server.close()
  })

  test('to a write is E_MAYBE_APPLIED if it cannot be read', async () => {
    const deep = '*1\r\n'.repeat(300) + ':1\r\n'
    const results = { MULTI: '+OK\r\n', INCR: '+QUEUED\r\n', EXEC: deep, LPOP: deep, BLPOP: deep, LRANGE: deep }
    const server = await fakeServer((words) => results[words[0]])
    const service = make({ url: server.url })
    await service.connect()
    const raw = service.getClient()
    for (const call of [
      () => raw.multi().incr('k').exec(),
      () => raw.sendCommand(['LPOP', 'k', '1000']),
      () => raw.sendCommand(['BLPOP', 'k', '1']),
    ]) {
      await refuses(call(), 'E_MAYBE_APPLIED', /nested/)
    }
    await refuses(raw.sendCommand(['LRANGE', 'k', '0', '-1']), 'E_UNSUPPORTED', /nested/)
    await server.close()
  })

  test('of one script costs no other call anything on a real server', async () => {
    const server = await startRedis()
    const service = make({ url: server.url, poolSize: 1 })
    await service.connect()
    const before = await server.accepted()
    const nested = 'local t = 1 for i = 1, 1000 do t = { t } end return t'
    const [, other] = await Promise.all([
      refuses(service.getClient().eval(nested, 0), 'E_MAYBE_APPLIED', /nested/),
      service.set('other', '1'),
    ])
    assert.equal(other, 'OK')
    // One more is what looks.
    assert.equal(await server.accepted(), before + 1)
    await server.stop()
  })

  test('that no call waits for any more is not kept', async () => {
    const chunk = Buffer.from('$1000\r\n' + 'x'.repeat(1000) + '\r\n')
      .toString()
      .repeat(1000)
    let sent = 0
    let ended = false
    const server = await fakeServer((words, socket) => {
      if (words[0] !== 'GET') return undefined
      socket.write('*1000000\r\n')
      const more = () => {
        while (socket.writable && sent < 400e6) {
          sent += chunk.length
          if (!socket.write(chunk)) return
        }
      }
      socket.on('drain', more)
      socket.on('close', () => (ended = true))
      more()
      return undefined
    })
    const service = make({ url: server.url })
    await service.connect()
    const before = process.memoryUsage().rss
    const abandon = () => service.with({ timeoutMs: 50 }).get('key')
    await refuses(abandon(), 'E_TIMEOUT')
    let peak = 0
    await until(
      'all of it is read',
      async () => {
        peak = Math.max(peak, process.memoryUsage().rss - before)
        // A connection that takes seconds to pass over a reply is replaced.
        if (ended) {
          ended = false
          await abandon().catch(() => {})
        }
        return sent >= 400e6
      },
      30,
    )
    assert.ok(peak < 250e6, `${Math.round(peak / 1e6)} MB of ${Math.round(sent / 1e6)} were kept`)
    await server.close()
  })

  test('that no request asked for ends the connection', async () => {
    const server = await fakeServer((words) => (words[0] === 'GET' ? '$1\r\n1\r\n*100000000\r\n' : undefined))
    const service = make({ url: server.url })
    assert.equal(await service.get('key'), '1')
    await until('the connection has ended', () => server.sockets.size === 0 || server.connections > 1, 30)
    await server.close()
  })
})

describe('a server that shakes hands and hangs up', () => {
  test('is not dialled in a storm, and is one line of the log', async () => {
    const server = await fakeServer((words, socket) => {
      if (words[0] === 'PING') setImmediate(() => socket.destroy())
    })
    const reported = []
    const service = make({
      url: server.url,
      reconnect: { firstMs: 50, longestMs: 1000 },
      log: (event) => reported.push(event),
    })
    service.get('key').catch(() => {})
    // A storm is connections in a time: this is the time.
    await sleep(4000)
    assert.ok(server.connections < 40, `${server.connections} connections`)
    assert.ok(reported.length <= 1, reported.map((event) => event.message).join('\n'))
    await service.disconnect()
    await server.close()
  })

  test('is reported once when it works again', async () => {
    let works = false
    const server = await fakeServer((words, socket) => {
      if (!works && words[0] === 'PING') setImmediate(() => socket.destroy())
      return words[0] === 'GET' ? '$1\r\n1\r\n' : undefined
    })
    const reported = []
    const service = make({
      url: server.url,
      timeoutMs: 3000,
      breaker: false,
      log: (event) => reported.push(event.type),
    })
    service.get('key').catch(() => {})
    await until('some connections', () => server.connections >= 4, 30)
    works = true
    await until(
      'a call succeeds',
      () =>
        service.get('key').then(
          () => true,
          () => false,
        ),
      30,
    )
    await until('the log', () => reported.length > 1, 30)
    assert.deepEqual(reported, ['lost', 'connected'])
    await service.disconnect()
    await server.close()
  })

  test('is not dialled in a storm by subscribers, either', async () => {
    const server = await fakeServer((words, socket) => {
      if (words[0] !== 'SUBSCRIBE') return undefined
      setImmediate(() => socket.destroy())
      return `*3\r\n$9\r\nsubscribe\r\n$${words[1].length}\r\n${words[1]}\r\n:1\r\n`
    })
    const service = make({ url: server.url, timeoutMs: 1000, reconnect: { firstMs: 50, longestMs: 1000 } })
    service.subscribe('channel', () => {}).catch(() => {})
    // A storm is connections in a time: this is the time.
    await sleep(4000)
    assert.ok(server.connections < 40, `${server.connections} connections`)
    await service.disconnect()
    await server.close()
  })
})

describe('a peer that stops reading', () => {
  test('while it is asked for channels is left for a new connection', async () => {
    let stuck = false
    const server = await fakeServer((words, socket) => {
      if (stuck && socket.first) {
        socket.pause()
        return undefined
      }
      if (words[0] !== 'SUBSCRIBE') return undefined
      socket.first = !stuck
      return `*3\r\n$9\r\nsubscribe\r\n$${words[1].length}\r\n${words[1]}\r\n:1\r\n`
    })
    const service = make({ url: server.url, timeoutMs: 2000, keepAliveMs: 1000 })
    const gaps = []
    await service.subscribe('first', () => {}, { onGap: (gap) => gaps.push(gap) })
    stuck = true
    const many = Array.from({ length: 150 }, (_, i) => service.subscribe('c'.repeat(60_000) + i, () => {}))
    await Promise.allSettled(many)
    await until(
      'another subscription',
      () =>
        service
          .subscribe('later', () => {})
          .then(
            () => true,
            () => false,
          ),
      30,
    )
    await until('the gap is reported', () => gaps.length > 0, 30)
    await server.close()
  })
})

describe('an address that leads to a replica', () => {
  test('is dialled ever more rarely, is one line of the log, and still serves reads', async () => {
    const primary = await startRedis()
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', primary.port] })
    await until('a copy', async () => /master_link_status:up/.test(await replica.command('INFO', 'replication')), 30)
    const reported = []
    const service = make({ url: replica.url, log: (event) => reported.push(event) })
    await service.get('key')
    const before = await replica.accepted()
    const end = performance.now() + 3000
    let refused = 0
    while (performance.now() < end) {
      await Promise.all([
        service.set('key', '1').then(
          () => assert.fail('it was written'),
          (error) => (refused += error.code === 'E_UNAVAILABLE'),
        ),
        service.get('key'),
      ])
      // As an application would write, a hundred times a second.
      await sleep(10)
    }
    assert.ok(refused > 5)
    // Each look from here is a connection, too.
    const made = (await replica.accepted()) - before
    assert.ok(made < 20, `${made} connections`)
    assert.deepEqual(
      reported.map((event) => event.type),
      ['lost'],
    )
    await replica.command('REPLICAOF', 'NO', 'ONE')
    await until(
      'a write',
      () =>
        service.set('key', '2').then(
          () => true,
          () => false,
        ),
      30,
    )
    await until('the log', () => reported.length === 2, 30)
    assert.deepEqual(
      reported.map((event) => event.type),
      ['lost', 'connected'],
    )
    await service.disconnect()
    await Promise.all([primary.stop(), replica.stop()])
  })
})

test('a server that replies to PINGs and refuses all else is tried after twice as long each time', async (t) => {
  const full = '-ERR max number of clients reached\r\n'
  const server = await fakeServer(([name]) => (name === 'PING' ? undefined : full))
  t.after(() => server.close())
  const opened = []
  const log = ({ type, at }) => type === 'breaker-open' && opened.push(Date.parse(at))
  const service = make({ url: server.url, log, breaker: { volume: 5 } })
  await until('the breaker has opened three times', async () => {
    await service.get('k').catch(() => {})
    return opened.length === 3
  })
  const [first, second] = [opened[1] - opened[0], opened[2] - opened[1]]
  assert.ok(first >= 900 && first < 1900, `tried again after ${first} ms`)
  assert.ok(second >= 1900, `tried again after ${second} ms`)
})
