// What a raw command does to the connection that others share: nothing.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { RedisService } from 'cinnabar'

import { rawClient, refuses, until } from '../helpers.mjs'
import { startRedis } from '../support/engines.mjs'
import { has } from '../support/server-features.mjs'

const server = await startRedis()
after(() => server.stop())

/** A service with a client, and two values that are never mixed up. */
async function withValues(options) {
  await server.command('FLUSHALL')
  const service = new RedisService({ url: server.url, log: false, ...options })
  await service.set('ada', 'of Ada')
  await service.set('bob', 'of Bob')
  return { service, client: await rawClient(service) }
}

const clients = async () => (await server.command('CLIENT', 'LIST')).split('\n').filter(Boolean)
const waiting = async (command) => (await clients()).filter((line) => line.includes(` cmd=${command} `)).length

describe('commands that cannot share a connection', () => {
  test('are refused before anything is sent, in a transaction too', async () => {
    const { service, client } = await withValues({ poolSize: 1 })
    for (const words of [
      ['SUBSCRIBE', 'a'],
      ['unsubscribe', 'a', 'b'],
      ['SUNSUBSCRIBE', 'a', 'b'],
      ['PSUBSCRIBE', '*'],
      ['MONITOR'],
      ['SYNC'],
      ['PSYNC', '?', '-1'],
      ['REPLCONF', 'ACK', '0'],
      ['CLIENT', 'reply', 'OFF'],
      ['CLIENT', 'NO-TOUCH', 'on'],
      ['CLIENT', 'TRACKING', 'on'],
      ['CLIENT', 'SETNAME', 'x'],
      ['SCRIPT', 'DEBUG', 'YES'],
      ['MULTI'],
      ['EXEC'],
      ['WATCH', 'a'],
      ['SELECT', '1'],
      ['AUTH', 'x'],
      ['HELLO', '3'],
      ['QUIT'],
      ['RESET'],
      ['READONLY'],
      ['ASKING'],
      ['WAIT', '1', '0'],
      ['WAITAOF', '0', '1', '0'],
    ]) {
      const results = [client.sendCommand(words), client.get('ada'), client.get('bob')]
      const error = await refuses(results[0], 'E_UNSUPPORTED')
      assert.match(error.message, /^[A-Z]+ is not supported by sendCommand: \w+/)
      assert.deepEqual(await Promise.all(results.slice(1)), ['of Ada', 'of Bob'], words.join(' '))
      await refuses(client.multi().incr('n').sendCommand(words).exec(), 'E_UNSUPPORTED')
    }
    assert.equal(await client.exists('n'), 0)
    await service.disconnect()
  })

  test('run on a dedicated connection if they are unknown, which is closed after them', async () => {
    const { service, client } = await withValues({ poolSize: 1 })
    const before = (await clients()).length
    const unknown = Array.from({ length: 20 }, () => client.sendCommand(['SOME.COMMAND', 'x']))
    await Promise.all(unknown.map((result) => refuses(result, 'E_SERVER')))
    assert.deepEqual(await Promise.all([client.get('ada'), client.get('bob')]), ['of Ada', 'of Bob'])
    await until('theirs are gone', async () => (await clients()).length === before)
    const [[error, value], ...rest] = await client.multi().get('ada').sendCommand(['PFDEBUG', 'ENCODING', 'ada']).exec()
    assert.deepEqual([error, value, rest.length], [null, 'of Ada', 1])
    await until('that of the transaction is gone', async () => (await clients()).length === before)
    await service.disconnect()
  })
})

describe('commands that wait at the server', () => {
  const forEver = {
    BLPOP: ['q', '0'],
    BRPOP: ['q', '0'],
    BLMOVE: ['q', 'p', 'LEFT', 'RIGHT', '0'],
    BRPOPLPUSH: ['q', 'p', '0'],
    BZPOPMIN: ['z', '0'],
    BZPOPMAX: ['z', '0'],
    XREAD: ['BLOCK', '0', 'STREAMS', 's', '$'],
    XREADGROUP: ['GROUP', 'g', 'c', 'BLOCK', '0', 'STREAMS', 'log', '>'],
    ...(has.popsOfSeveralKeys && { BLMPOP: ['0', '1', 'q', 'LEFT'], BZMPOP: ['0', '1', 'z', 'MIN'] }),
  }

  test('hold up no other call, with one connection and with all of them at once', async () => {
    const { service, client } = await withValues({ poolSize: 1 })
    await client.sendCommand(['XGROUP', 'CREATE', 'log', 'g', '$', 'MKSTREAM'])
    const bound = client.with({ timeoutMs: 60_000 })
    const all = Object.entries(forEver).map(([name, args]) => bound.sendCommand([name, ...args]))
    const beside = [client.set('same', 'tick'), client.get('ada'), client.get('bob')]
    assert.deepEqual(await Promise.all(beside), ['OK', 'of Ada', 'of Bob'])
    await until('all wait', async () => {
      const counts = await Promise.all(Object.keys(forEver).map((name) => waiting(name.toLowerCase())))
      return counts.every((count) => count === 1)
    })
    // Longer than what makes a connection suspicious whose server says nothing.
    const started = performance.now()
    while (performance.now() - started < 2500) assert.equal(await client.get('ada'), 'of Ada')
    for (let i = 0; i < 6; i++) await client.rPush('q', `element ${i}`)
    await client.zAdd(
      'z',
      [1, 2, 3].map((score) => ({ score, value: `member ${score}` })),
    )
    for (const stream of ['s', 'log']) await client.sendCommand(['XADD', stream, '*', 'field', 'value'])
    const results = await Promise.all(all)
    const taken = new Set(JSON.stringify(results).match(/element \d|member \d/g))
    assert.equal(taken.size, has.popsOfSeveralKeys ? 5 + 3 : 4 + 2, JSON.stringify(results))
    const names = Object.keys(forEver)
    assert.equal(results[names.indexOf('XREAD')][0][0], 's')
    assert.equal(results[names.indexOf('XREADGROUP')][0][0], 'log')
    await service.disconnect()
  })

  test('a wait for ever ends with the time of its call, and has taken nothing', async () => {
    const { service, client } = await withValues({ timeoutMs: 1000 })
    const started = performance.now()
    const ended = await Promise.all(
      Object.entries(forEver)
        .filter(([name]) => name !== 'XREADGROUP')
        .map(([name, args]) =>
          refuses(client.sendCommand([name, ...args]), 'E_TIMEOUT', /nothing was popped\. A command without a timeout/),
        ),
    )
    assert.ok(ended.every(({ retryable }) => retryable))
    const took = performance.now() - started
    assert.ok(took >= 990 && took < 2000, `it took ${took} ms`)
    await client.rPush('q', 'x')
    await client.zAdd('z', { score: 1, value: 'm' })
    assert.deepEqual([await client.lLen('q'), await client.zCard('z')], [1, 1])
    await service.disconnect()
  })

  test('waits for its own timeout, beyond that of other calls, and returns null', async () => {
    const { service, client } = await withValues({ timeoutMs: 500 })
    const started = performance.now()
    assert.equal(await client.sendCommand(['BLPOP', 'q', '1.5']), null)
    assert.equal(await client.sendCommand(['XREAD', 'BLOCK', '300', 'STREAMS', 's', '$']), null)
    assert.ok(performance.now() - started >= 1700)
    const late = client.sendCommand(['BLPOP', 'q', '30'])
    // Twice the time that other calls have.
    await sleep(1000)
    await client.rPush('q', 'late')
    assert.deepEqual(await late, ['q', 'late'])
    await refuses(client.with({ timeoutMs: 300 }).sendCommand(['BLPOP', 'q', '30']), 'E_TIMEOUT')
    await service.disconnect()
  })

  test('none of many elements is lost where waits end as they come', async () => {
    const { service, client } = await withValues()
    const taken = []
    let going = true
    const take = async (timeoutMs) => {
      const bound = client.with({ timeoutMs })
      while (going) {
        // A connection that is not there by then ends the wait as well.
        const got = await bound
          .sendCommand(['BLPOP', 'q', '0'])
          .catch(({ code, message }) => void assert.ok(['E_TIMEOUT', 'E_UNAVAILABLE'].includes(code), message))
        if (got) taken.push(got[1])
      }
    }
    const takers = Promise.all([60, 80, 100, 120].map(take))
    takers.catch(() => {})
    for (let i = 0; i < 300; i++) {
      await client.rPush('q', String(i))
      // So slowly that waits end without an element in between.
      await sleep(5)
    }
    await Promise.race([takers, until('all have come', () => taken.length === 300)])
    going = false
    await takers
    assert.deepEqual(
      taken.map(Number).sort((a, b) => a - b),
      Array.from({ length: 300 }, (_, i) => i),
    )
    await service.disconnect()
  })

  test('an abort ends the wait at the server', async () => {
    const { service, client } = await withValues()
    const controller = new AbortController()
    const wait = client.with({ signal: controller.signal, timeoutMs: 60_000 }).sendCommand(['BLPOP', 'q', '0'])
    await until('it waits', async () => (await waiting('blpop')) === 1)
    controller.abort()
    await refuses(wait, 'E_ABORTED')
    await until('no call waits any more', async () => (await waiting('blpop')) === 0)
    await client.rPush('q', 'x')
    assert.equal(await client.lLen('q'), 1)
    await service.disconnect()
  })

  test('disconnect() ends it, too', async () => {
    const { service, client } = await withValues()
    const wait = client.with({ timeoutMs: 60_000 }).sendCommand(['BLPOP', 'q', '0'])
    const ended = refuses(wait, 'E_MAYBE_APPLIED')
    await until('it waits', async () => (await waiting('blpop')) === 1)
    await service.disconnect({ drainMs: 50 })
    await ended
    await until('no call waits any more', async () => (await waiting('blpop')) === 0)
  })

  test('reports the loss of its server as that, and others go on', async () => {
    const { service, client } = await withValues()
    const wait = client.with({ timeoutMs: 60_000 }).sendCommand(['BLPOP', 'q', '0'])
    const ended = refuses(wait, 'E_MAYBE_APPLIED')
    await until('it waits', async () => (await waiting('blpop')) === 1)
    await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await ended
    assert.equal(await client.get('ada'), 'of Ada')
    await service.disconnect()
  })
})
