import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { describe, mock, test } from 'node:test'

import { RedisService } from 'cinnabar'

import { assertTyped, noSubscribers, rawClient, refuses, runModule, until } from '../helpers.mjs'
import { engines, startRedis } from '../support/engines.mjs'
import { has } from '../support/server-features.mjs'
import { killSubscriber } from '../support/subscribers.mjs'

for (const engine of engines) {
  describe(`messages on ${engine.name}`, () => {
    const hasShards = engine.kind === 'memory' || has.shardedChannels
    const withService = (run) => async () => {
      const service = await engine.makeService()
      try {
        await run(service)
      } finally {
        await service.disconnect()
      }
    }

    test(
      'reach everyone who listens, in order, as the values they were',
      withService(async (service) => {
        const values = [{ a: [] }, 'text', '', 0, null, true, [1, { b: null }], 'ü\u{1f980}\u0000', '5', '"quoted"']
        const seen = [[], []]
        const subscriptions = await Promise.all(
          seen.map((list) => service.subscribe('prism:events', (value, channel) => list.push([value, channel]))),
        )
        for (const value of values) assert.ok((await service.publish('prism:events', value)) >= 1)
        await until('all have come', () => seen.every((list) => list.length === values.length))
        const expected = values.map((value) => [value, 'prism:events'])
        assert.deepEqual(seen, [expected, expected])
        for (const subscription of subscriptions) await subscription.close()
        await noSubscribers(service, 'prism:events')
      }),
    )

    test(
      'stop at close, which may be called twice; another one goes on',
      withService(async (service) => {
        const first = []
        const second = []
        const a = await service.subscribe('c', (value) => first.push(value))
        const b = await service.subscribe('c', (value) => second.push(value))
        await service.publish('c', 1)
        await until('both heard', () => first.length === 1 && second.length === 1)
        await a.close()
        await a.close()
        await service.publish('c', 2)
        await until('the second heard', () => second.length === 2)
        assert.deepEqual(first, [1])
        await b[Symbol.asyncDispose]()
        await service.publish('c', 3)
        await service.get('round trip')
        assert.deepEqual(second, [1, 2])
      }),
    )

    test(
      'come by pattern, with the channel they were sent to',
      withService(async (service) => {
        const seen = []
        const literal = []
        const pattern = await service.subscribe('prism:*', (value, channel) => seen.push([channel, value]), {
          pattern: true,
        })
        const plain = await service.subscribe('prism:*', (value) => literal.push(value))
        await service.publish('prism:a', 1)
        await service.publish('other', 2)
        await service.publish('prism:b:c', 3)
        await service.publish('prism:*', 4)
        await until('all have come', () => seen.length === 3 && literal.length === 1)
        assert.deepEqual(seen, [
          ['prism:a', 1],
          ['prism:b:c', 3],
          ['prism:*', 4],
        ])
        assert.deepEqual(literal, [4])
        await pattern.close()
        await plain.close()
      }),
    )

    test(
      'on sharded channels are heard by those who want them sharded, and by no pattern',
      withService(async (service) => {
        if (!hasShards) return refuses(service.subscribe('c', { sharded: true }), 'E_UNSUPPORTED')
        const seen = []
        const put = (name) => (value, channel) => seen.push([name, value, channel])
        const subscriptions = [
          await service.subscribe('c', put('plain')),
          await service.subscribe('*', put('pattern'), { pattern: true }),
          await service.subscribe('c', put('sharded'), { sharded: true }),
          await service.subscribe('c', put('sharded2'), { sharded: true }),
        ]
        const stream = await service.subscribe('c', { sharded: true })
        assert.ok((await service.publish('c', 1, { sharded: true })) >= 1)
        assert.ok((await service.publish('c', 2)) >= 1)
        assert.ok((await service.publish('c', 3, { sharded: false })) >= 1)
        await until('all have come', () => seen.length === 6)
        assert.deepEqual(seen.sort(), [
          ['pattern', 2, 'c'],
          ['pattern', 3, 'c'],
          ['plain', 2, 'c'],
          ['plain', 3, 'c'],
          ['sharded', 1, 'c'],
          ['sharded2', 1, 'c'],
        ])
        assert.deepEqual((await stream[Symbol.asyncIterator]().next()).value, { channel: 'c', value: 1, missed: 0 })
        for (const subscription of [...subscriptions, stream]) await subscription.close()
        await until('it has no subscribers', async () => (await service.publish('c', 4, { sharded: true })) === 0)
        for (const options of [{ sharded: 'yes' }, { sharded: 1 }, { shard: true }, null, 1, []]) {
          await refuses(service.publish('c', 1, options), 'E_INVALID_ARGUMENT')
        }
        const both = { sharded: true, pattern: true }
        await refuses(service.subscribe('c*', both), 'E_INVALID_ARGUMENT', /sharded channels have no patterns/)
        await refuses(service.subscribe('c', { sharded: 1 }), 'E_INVALID_ARGUMENT', /options.sharded/)
      }),
    )

    test(
      'that are no JSON arrive as text',
      withService(async (service) => {
        const seen = []
        const subscription = await service.subscribe('c', (value) => seen.push(value))
        const client = await rawClient(service)
        await client.publish('c', 'plain text {')
        await client.publish('c', '{"json":1}')
        await until('both have come', () => seen.length === 2)
        assert.deepEqual(seen, ['plain text {', { json: 1 }])
        await subscription.close()
      }),
    )

    test(
      '10,000 arrive, every one, in order',
      withService(async (service) => {
        const seen = []
        const subscription = await service.subscribe('c', (value) => seen.push(value))
        const sent = Array.from({ length: 10_000 }, (_, i) => i)
        await Promise.all(sent.map((i) => service.publish('c', i)))
        await until('all have come', () => seen.length === sent.length)
        assert.deepEqual(seen, sent)
        await subscription.close()
      }),
    )

    test(
      'a handler that throws ends neither the process nor the subscription, and is reported once',
      withService(async (service) => {
        const error = mock.method(console, 'error', () => {})
        const seen = []
        const subscription = await service.subscribe('c', (value) => {
          seen.push(value)
          if (value % 2) throw new Error(`no ${value}`)
          return Promise.reject(new Error(`no ${value}`))
        })
        for (let i = 0; i < 6; i++) await service.publish('c', i)
        await until('all have come', () => seen.length === 6)
        await new Promise(setImmediate)
        error.mock.restore()
        assert.equal(error.mock.callCount(), 1)
        assert.match(error.mock.calls[0].arguments[0], /"c"/)
        await subscription.close()
      }),
    )

    test(
      "a handler runs in its subscriber's asynchronous context",
      withService(async (service) => {
        const storage = new AsyncLocalStorage()
        const seen = []
        const subscriptions = await Promise.all(
          ['a', 'b'].map((name) =>
            storage.run(name, () => service.subscribe('c', () => seen.push(storage.getStore()))),
          ),
        )
        await storage.run('publisher', () => service.publish('c', 1))
        await until('both heard', () => seen.length === 2)
        assert.deepEqual(seen.sort(), ['a', 'b'])
        for (const subscription of subscriptions) await subscription.close()
      }),
    )

    test(
      'refuses invalid arguments',
      withService(async (service) => {
        for (const channel of ['', undefined, null, 42, {}, Symbol('c')]) {
          await refuses(service.publish(channel, 1), 'E_INVALID_ARGUMENT')
          await refuses(
            service.subscribe(channel, () => {}),
            'E_INVALID_ARGUMENT',
          )
        }
        const cyclic = {}
        cyclic.self = cyclic
        for (const value of [undefined, cyclic, 1n, () => 1, Symbol('x')]) {
          await refuses(service.publish('c', value), 'E_INVALID_ARGUMENT')
        }
        for (const handler of [null, 'text', [], Symbol('x')])
          await refuses(service.subscribe('c', handler), 'E_INVALID_ARGUMENT')
        for (const handler of [undefined, null, {}, 'text'])
          await refuses(service.subscribe('c', handler, {}), 'E_INVALID_ARGUMENT', /handler must be a function/)
        await refuses(
          service.subscribe('c', () => {}, { patern: true }),
          'E_INVALID_ARGUMENT',
          /did you mean "pattern"/,
        )
        const throwing = {
          get buffer() {
            throw null
          },
        }
        for (const options of [
          throwing,
          { pattern: 'yes' },
          { overflow: 'drop' },
          { overflow: 1 },
          { buffer: 1 },
          { buffer: null },
          { buffer: [] },
          { buffer: { message: 1 } },
          { buffer: { messages: 0 } },
          { buffer: { messages: 1.5 } },
          { buffer: { bytes: -1 } },
          { buffer: { bytes: NaN } },
          { buffer: { bytes: '1' } },
          { onGap: 1 },
        ]) {
          await refuses(
            service.subscribe('c', () => {}, options),
            'E_INVALID_ARGUMENT',
          )
          await refuses(service.subscribe('c', options), 'E_INVALID_ARGUMENT')
        }
        await refuses(
          service.subscribe('c', () => {}, { onError: 1 }),
          'E_INVALID_ARGUMENT',
        )
        await refuses(service.subscribe('c', { onError: () => {} }), 'E_INVALID_ARGUMENT', /unknown option/)
      }),
    )

    test('an open subscription keeps the process alive, a closed one does not', async () => {
      await engine.makeService().then((service) => service.disconnect())
      const source = `
        import { publish, subscribe } from 'cinnabar'
        const subscription = await subscribe('c', (value) => {
          console.log(value)
          if (value === 2) subscription.close()
        })
        setTimeout(async () => {
          await publish('c', 1)
          await publish('c', 2)
        }, 20)`
      const { status, out, err } = await runModule(source, { env: engine.env(), timeout: 20_000 })
      assert.deepEqual([status, out], [0, '1\n2\n'], err)
    })
  })
}

describe('messages between processes', () => {
  const redis = engines.find((engine) => engine.kind === 'redis')

  test('are heard again after the server was away', async () => {
    const service = await redis.makeService()
    const seen = new Set()
    const subscription = await service.subscribe('c', (value) => seen.add(value))
    await service.publish('c', 'before')
    await until('it is heard', () => seen.has('before'))
    await redis.server.stop()
    await redis.server.start()
    let n = 0
    await until(
      'it is heard again',
      async () => {
        await service.publish('c', `after ${n++}`).catch((error) => assertTyped(error))
        return [...seen].some((value) => value.startsWith('after'))
      },
      30,
    )
    await subscription.close()
    await service.disconnect()
  })

  test('that were missed while the connection was away are reported, in order', async () => {
    const service = await redis.makeService()
    const seen = []
    const subscription = await service.subscribe('c', (value) => seen.push(value), {
      onGap: ({ missed }) => seen.push({ missed }),
    })
    await service.publish('c', 'before')
    await until('the first has come', () => seen.length === 1)
    await killSubscriber(redis.server)
    await until('the gap is reported', () => seen.length === 2)
    await service.publish('c', 'after')
    await until('the last has come', () => seen.length === 3)
    assert.deepEqual(seen, ['before', { missed: 'unknown' }, 'after'])
    await subscription.close()
    await service.disconnect()
  })

  test('that a handler is too slow for are dropped, counted and reported', async () => {
    const service = await redis.makeService()
    const other = await redis.makeService({ poolSize: 1 })
    let [heard, missed, last] = [0, 0, -1]
    const subscription = await service.subscribe(
      'burst',
      (value) => {
        assert.ok(value > last, 'in order')
        last = value
        heard++
      },
      { onGap: (gap) => (missed += gap.missed) },
    )
    const script = "for i = 1, 25000 do redis.call('PUBLISH', 'burst', i) end"
    const published = (await rawClient(other)).eval(script, 0)
    // It is in flight; then no handler can run until all messages are there.
    await new Promise(setImmediate)
    const busyUntil = performance.now() + 1500
    while (performance.now() < busyUntil);
    await published
    await until('all are accounted for', () => heard + missed === 25_000)
    await subscription.close()
    await Promise.all([service.disconnect(), other.disconnect()])
    assert.ok(missed > 0 && heard >= 10_000, `${heard} heard, ${missed} missed`)
  })

  test('are missed with one warning where there is no onGap', async () => {
    const service = await redis.makeService({ log: false })
    const warnings = []
    mock.method(console, 'warn', (line) => warnings.push(line))
    try {
      const subscription = await service.subscribe('c', () => {})
      for (let round = 0; round < 2; round++) {
        await redis.server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
        await until('it listens again', async () => (await service.publish('c', 1)) === 1)
      }
      await until('it was said', () => warnings.length > 0)
      await subscription.close()
      await service.disconnect()
      assert.equal(warnings.length, 1)
      assert.match(warnings[0], /^cinnabar: messages may have been missed on "c"/)
    } finally {
      mock.restoreAll()
    }
  })

  test('on sharded channels are reported missing and received again after the connection was lost', async () => {
    const service = await redis.makeService({ log: false })
    if (!has.shardedChannels) return service.disconnect()
    const stream = await service.subscribe('c', { sharded: true })
    await service.publish('c', 'before', { sharded: true })
    await killSubscriber(redis.server)
    await until('it listens again', async () => (await service.publish('c', 'after', { sharded: true })) === 1)
    const seen = []
    for await (const { value, missed } of stream) if (seen.push([value, missed]) === 2) break
    assert.deepEqual(seen, [
      ['before', 0],
      ['after', 'unknown'],
    ])
    await service.disconnect()
  })

  test('on sharded channels are refused, in words that help, where a server knows none', async () => {
    const renamed = ['--rename-command', 'SSUBSCRIBE', '', '--rename-command', 'SPUBLISH', '']
    const old = await startRedis({ args: has.shardedChannels ? renamed : [] })
    const service = new RedisService({ url: old.url })
    const sharded = { sharded: true }
    await refuses(service.publish('c', 1, sharded), 'E_UNSUPPORTED', /sharded channels need Redis 7/)
    await refuses(
      service.subscribe('c', () => {}, sharded),
      'E_UNSUPPORTED',
      /sharded channels need Redis 7/,
    )
    const seen = []
    await service.subscribe('c', (value) => seen.push(value))
    await service.publish('c', 1)
    await until('others are heard', () => seen.length === 1)
    await service.disconnect()
  })

  test('of a channel that is no longer permitted are reported missing, and received again once it is', async () => {
    const password = randomUUID()
    const rule = (...rules) => redis.server.command('ACL', 'SETUSER', 'listener', ...rules)
    await rule('on', `>${password}`, '~*', '&*', '+@all')
    const service = await redis.makeService({ username: 'listener', password, keepAliveMs: 100, log: false })
    const seen = []
    const subscription = await service.subscribe('c', (value) => seen.push(value), { onGap: () => seen.push('gap') })
    // The server ends the connections of those who listen to what they may not hear any more.
    await rule('resetchannels')
    await until('the gap is reported', () => seen.includes('gap'))
    await rule('&*')
    await until('it is heard again', async () => {
      await service.publish('c', 'again')
      return seen.includes('again')
    })
    await subscription.close()
    await service.disconnect()
  })
})
