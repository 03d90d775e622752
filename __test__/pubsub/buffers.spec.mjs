import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'

import { RedisService } from 'cinnabar'

import { assertTyped, deferred, noSubscribers, rawClient, runJson, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { killSubscriber } from '../support/subscribers.mjs'

const range = (first, last) => Array.from({ length: last - first + 1 }, (_, index) => first + index)

for (const engine of engines) {
  const withService = (run) => async () => {
    const service = await engine.makeService()
    try {
      await run(service)
    } finally {
      await service.disconnect()
    }
  }

  /** Publishes these in one turn while no handler can run: one script, so that nothing is delivered in between. */
  const burst = async (service, channel, first, last) => {
    const script = "for i = ARGV[1], ARGV[2] do redis.call('PUBLISH', KEYS[1], string.format('%d', i)) end"
    await (await rawClient(service)).eval(script, 1, channel, String(first), String(last))
  }
  /** The same, until all have come to everyone who listened before. */
  const heardBurst = async (service, channel, first, last) => {
    const all = deferred()
    const barrier = await service.subscribe(channel, (value) => value === last && all.resolve())
    await burst(service, channel, first, last)
    await all.promise
    await barrier.close()
  }
  /** A handler that blocks this thread at its first message, until all others are there or have been dropped. */
  const stalledFirst = (handler, ms = 300) => {
    let first = true
    return (value) => {
      const busyUntil = performance.now() + (first ? ms : 0)
      first = false
      while (performance.now() < busyUntil);
      handler(value)
    }
  }
  /** Fails unless values and gaps, in this order, account for every number from 1 on. */
  const assertInPlace = (seen) => {
    let last = 0
    for (const value of seen) {
      last += value.missed ?? 1
      if (value.missed === undefined) assert.equal(value, last)
    }
  }
  /** What a reader got, once everything up to `last` is accounted for. */
  const seenUpTo = async (seen, last) => {
    await until(`${last} has come`, () => seen.includes(last))
    return seen
  }

  describe(`what waits for a handler on ${engine.name}`, () => {
    test(
      'is the newest, and a gap stands where the oldest were',
      withService(async (service) => {
        const seen = []
        const onGap = ({ missed }) => seen.push({ missed })
        const handler = stalledFirst((value) => seen.push(value))
        await service.subscribe('c', handler, { onGap, buffer: { messages: 100 } })
        await burst(service, 'c', 1, 5000)
        await seenUpTo(seen, 5000)
        assertInPlace(seen)
        const gaps = seen.filter(({ missed }) => missed)
        assert.ok(gaps.length > 0, 'nothing was missed')
        assert.deepEqual(seen.slice(-100), range(4901, 5000))
        await burst(service, 'c', 5001, 5003)
        await seenUpTo(seen, 5003)
        assert.deepEqual(seen.slice(-3), [5001, 5002, 5003])
      }),
    )

    test(
      'ends the subscription where it may not be dropped, behind what had come',
      withService(async (service) => {
        const [seen, ended] = [[], deferred()]
        const handler = stalledFirst((value) => seen.push(value))
        const subscription = await service.subscribe('c', handler, {
          buffer: { messages: 100 },
          overflow: 'error',
          onGap: () => assert.fail('a gap'),
          onError: ended.resolve,
        })
        await burst(service, 'c', 1, 5000)
        const error = await ended.promise
        assertTyped(error, 'E_BACKPRESSURE', /more than 100 messages or 16777216 bytes/)
        assert.ok(seen.length >= 100 && seen.length < 5000, `${seen.length} came`)
        assert.deepEqual(seen, range(1, seen.length))
        await noSubscribers(service, 'c')
        await turn()
        assert.ok(!seen.includes('after'))
        await subscription.close()
      }),
    )

    test(
      'that may not be dropped: an end without an onEnd handler is an error on the console',
      withService(async (service) => {
        const error = mock.method(console, 'error', () => {})
        try {
          const options = { buffer: { bytes: 1 }, overflow: 'error' }
          await service.subscribe(
            'c',
            stalledFirst(() => {}),
            options,
          )
          await burst(service, 'c', 1000, 5000)
          await until('it is said', () => error.mock.callCount() > 0)
          assert.equal(error.mock.callCount(), 1)
          assert.match(error.mock.calls[0].arguments[0], /"c" has ended/)
          assertTyped(error.mock.calls[0].arguments[1], 'E_BACKPRESSURE')
        } finally {
          error.mock.restore()
        }
      }),
    )

    test(
      'is let go by a handler that closes its own subscription, or the service',
      withService(async (service) => {
        for (const close of [(subscription) => subscription.close(), () => service.disconnect()]) {
          await service.connect()
          const seen = []
          const subscription = await service.subscribe('c', (value) => {
            seen.push(value)
            if (value === 3) close(subscription)
          })
          await burst(service, 'c', 1, 50)
          await until('the third has come', () => seen.includes(3))
          await sleep(20)
          assert.deepEqual(seen, [1, 2, 3])
        }
      }),
    )

    test(
      'lets timers and calls have their turns while handlers are slow',
      withService(async (service) => {
        let [heard, ticks] = [0, 0]
        await service.subscribe('c', () => {
          heard++
          const busyUntil = performance.now() + 1
          while (performance.now() < busyUntil);
        })
        await burst(service, 'c', 1, 400)
        const timer = setInterval(() => ticks++, 1)
        while (heard < 400) {
          await service.get('x')
          ticks++
        }
        clearInterval(timer)
        assert.ok(ticks >= 10, `${ticks} turns of others`)
      }),
    )

    test(
      'is handled in few turns where handlers are quick: callers that publish in each never keep it waiting',
      withService(async (service) => {
        let [heard, turns] = [0, 0]
        const handler = stalledFirst(() => heard++, 2000)
        await service.subscribe('c', handler)
        await burst(service, 'c', 1, 6400)
        await until('the first has come', () => heard > 0)
        const before = heard
        while (heard < 6400) {
          await turn()
          turns++
        }
        assert.ok(turns <= 50, `${turns} turns for ${6400 - before} messages`)
      }),
    )

    test(
      'of several subscriptions to one channel is bounded for each by itself',
      withService(async (service) => {
        const lists = [[], [], []]
        const bounds = [10_000, 10, 1]
        for (const [index, list] of lists.entries()) {
          await service.subscribe('c', (value) => list.push(value), {
            buffer: { messages: bounds[index] },
            onGap: ({ missed }) => list.push({ missed }),
          })
        }
        await service.subscribe(
          'c',
          stalledFirst(() => {}),
          { onGap: () => {} },
        )
        await burst(service, 'c', 1, 2000)
        for (const list of lists) {
          await seenUpTo(list, 2000)
          assertInPlace(list)
        }
        assert.deepEqual(lists[0], range(1, 2000))
        assert.ok(lists[2].length < 1500, `${lists[2].length} got through`)
      }),
    )
  })

  describe(`an iterated subscription on ${engine.name}`, () => {
    test(
      'gives each message, in order, with its channel',
      withService(async (service) => {
        const values = [{ a: [] }, 'text', null, 0, 'ü\u{1f980}\u0000', undefined]
        const stream = await service.subscribe('c*', { pattern: true })
        const client = await rawClient(service)
        for (const [index, value] of values.entries()) {
          if (value === undefined) await client.publish('c5', 'no { JSON')
          else await service.publish(`c${index}`, value)
        }
        const seen = []
        for await (const message of stream) {
          seen.push(message)
          if (seen.length === values.length) break
        }
        const expected = [...values.slice(0, 5), 'no { JSON']
        assert.deepEqual(
          seen,
          expected.map((value, index) => ({ channel: `c${index}`, value, missed: 0 })),
        )
        await noSubscribers(service, 'c1')
        assert.deepEqual(await stream[Symbol.asyncIterator]().next(), { done: true, value: undefined })
      }),
    )

    test(
      'waits for messages, and says where which were dropped',
      withService(async (service) => {
        const gaps = []
        const onGap = ({ missed }) => gaps.push(missed)
        const stream = await service.subscribe('c', { buffer: { messages: 5 }, onGap })
        const iterator = stream[Symbol.asyncIterator]()
        const first = iterator.next()
        await service.publish('c', 'first')
        assert.deepEqual(await first, { done: false, value: { channel: 'c', value: 'first', missed: 0 } })
        await heardBurst(service, 'c', 1, 20)
        const list = []
        for (let count = 0; count < 5; count++) list.push((await iterator.next()).value)
        assert.deepEqual(
          list.map(({ value, missed }) => [value, missed]),
          [
            [16, 15],
            [17, 0],
            [18, 0],
            [19, 0],
            [20, 0],
          ],
        )
        assert.deepEqual(gaps, [15])
      }),
    )

    test(
      'throws once where nothing may be dropped, behind what waits',
      withService(async (service) => {
        const options = { buffer: { messages: 5 }, overflow: 'error' }
        const stream = await service.subscribe('c', options)
        await heardBurst(service, 'c', 1, 20)
        const seen = []
        const loop = async () => {
          for await (const { value } of stream) seen.push(value)
        }
        await assert.rejects(loop(), (error) => {
          assertTyped(error, 'E_BACKPRESSURE')
          return true
        })
        assert.deepEqual(seen, range(1, 5))
        assert.deepEqual(await stream[Symbol.asyncIterator]().next(), { done: true, value: undefined })
        await noSubscribers(service, 'c')

        // A pending read gets it too, and one behind it gets the end.
        const other = await service.subscribe('c', options)
        const asked = Promise.allSettled(range(1, 5000).map(() => other[Symbol.asyncIterator]().next()))
        await service.subscribe(
          'c',
          stalledFirst(() => {}),
        )
        await burst(service, 'c', 1, 5000)
        const got = (await asked).map(({ value, reason }) => value?.value?.value ?? reason?.code ?? value.done)
        const end = got.indexOf('E_BACKPRESSURE')
        assert.deepEqual(got.slice(0, end), range(1, end))
        assert.deepEqual(got.slice(end + 1), Array(4999 - end).fill(true))
      }),
    )

    const endings = {
      'close()': (stream) => stream.close(),
      'return()': (stream) => stream[Symbol.asyncIterator]().return(),
      'await using': (stream) => stream[Symbol.asyncDispose](),
      using: (stream) => stream[Symbol.dispose](),
      'disconnect()': (_, service) => service.disconnect(),
    }
    for (const [name, end] of Object.entries(endings)) {
      test(
        `ends by ${name}: for those who wait, and with what waits`,
        withService(async (service) => {
          const other = await engine.makeService({ url: undefined })
          await other.disconnect()
          const [waited, unread] = [await service.subscribe('a'), await service.subscribe('b')]
          const asked = range(1, 3).map(() => waited[Symbol.asyncIterator]().next())
          await heardBurst(service, 'b', 1, 200)
          assert.equal((await unread[Symbol.asyncIterator]().next()).value.value, 1)
          for (const stream of [waited, unread]) await end(stream, service)
          const done = { done: true, value: undefined }
          assert.deepEqual(await Promise.all(asked), [done, done, done])
          assert.deepEqual(await unread[Symbol.asyncIterator]().next(), done)
          await waited.close()
          if (name === 'disconnect()') await service.connect()
          await noSubscribers(service, 'a')
          await noSubscribers(service, 'b')
        }),
      )
    }

    test(
      'ends by a break or a throw in its loop',
      withService(async (service) => {
        for (const leave of ['break', 'throw']) {
          // One that was never subscribed to: the server may not know yet that an earlier service is gone.
          const channel = `left by ${leave}`
          const stream = await service.subscribe(channel)
          await service.publish(channel, 1)
          const loop = async () => {
            for await (const { value } of stream) {
              if (leave === 'break') break
              throw new Error(`no ${value}`)
            }
          }
          if (leave === 'break') await loop()
          else await assert.rejects(loop(), /no 1/)
          await noSubscribers(service, channel)
        }
      }),
    )

    test(
      'shares its messages between several loops',
      withService(async (service) => {
        const stream = await service.subscribe('c')
        const lists = [[], []]
        const loops = lists.map(async (list) => {
          for await (const { value } of stream) list.push(value)
        })
        for (let n = 1; n <= 200; n++) await service.publish('c', n)
        await until('all have come', () => lists.flat().length === 200)
        await stream.close()
        await Promise.all(loops)
        for (const list of lists)
          assert.deepEqual(
            list,
            list.toSorted((a, b) => a - b),
            'in order',
          )
        assert.deepEqual(
          lists.flat().sort((a, b) => a - b),
          range(1, 200),
        )
        assert.ok(lists.every((list) => list.length > 0))
      }),
    )

    test(
      'goes on when onGap throws, and says so once',
      withService(async (service) => {
        const error = mock.method(console, 'error', () => {})
        try {
          const onGap = () => {
            throw new Error('no')
          }
          const stream = await service.subscribe('c', { buffer: { messages: 1 }, onGap })
          const iterator = stream[Symbol.asyncIterator]()
          for (const last of [3, 6]) {
            await heardBurst(service, 'c', last - 2, last)
            assert.deepEqual((await iterator.next()).value, { channel: 'c', value: last, missed: 2 })
          }
          assert.equal(error.mock.callCount(), 1)
        } finally {
          error.mock.restore()
        }
      }),
    )

    test('keeps the process alive while it is open, and lets it go at its end', async () => {
      const source = `
        import { redisService, subscribe } from 'cinnabar'
        const stream = await subscribe('c')
        setTimeout(() => redisService.publish('c', 1), 50)
        for await (const { value } of stream) {
          console.log(value)
          break
        }
        await subscribe('never').then((stream) => stream.close())`
      assert.equal(await runJson(source, { env: engine.env(), timeout: 20_000 }), 1)
    })
  })

  describe(`memory on ${engine.name}`, () => {
    test('stays bounded while 10,000 large messages wait for a reader that reads none', async () => {
      // Short ones come along with large ones: they must not hold what was read with them.
      const source = `
        import { RedisService } from 'cinnabar'
        const service = new RedisService()
        // Else a server ends the connection of a subscriber that had no processor for a while.
        const config = ['CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 0 0 0']
        await service.connect()
        if (process.env.REDIS_URL !== 'memory:') await service.getClient().sendCommand(config)
        const streams = [await service.subscribe('large'), await service.subscribe('short')]
        const large = 'x'.repeat(100_000)
        const sizes = []
        for (let round = 0; round < 100; round++) {
          const sent = []
          for (let n = 0; n < 100; n++) sent.push(service.publish('large', large), service.publish('short', n))
          await Promise.all(sent)
          sizes.push(process.memoryUsage.rss())
        }
        const all = new Promise((resolve) => service.subscribe('end', resolve).then(() => service.publish('end', 1)))
        await all
        const missed = []
        for (const stream of streams) {
          const { value } = await stream[Symbol.asyncIterator]().next()
          missed.push(value.missed)
        }
        await service.disconnect()
        console.log(JSON.stringify({ first: sizes[9], last: Math.max(...sizes.slice(90)), missed }))`
      const { first, last, missed } = await runJson(source, { env: engine.env(), timeout: 170_000 })
      const megabytes = (last - first) / 2 ** 20
      assert.ok(megabytes < 100, `it grew by ${megabytes} MB`)
      assert.equal(missed[0], 10_000 - Math.floor((16 * 2 ** 20) / 100_002))
      assert.equal(missed[1], 0)
    })
  })
}

describe('a subscription whose connection is lost', () => {
  const redis = engines.find((engine) => engine.kind === 'redis')

  test('says so through its iterator, in its place', async (context) => {
    const service = await redis.makeService({ log: false })
    context.after(() => service.disconnect())
    const gaps = []
    const stream = await service.subscribe('c', { onGap: ({ missed }) => gaps.push(missed) })
    const iterator = stream[Symbol.asyncIterator]()
    await service.publish('c', 'before')
    await killSubscriber(redis.server)
    await until('it listens again', async () => (await service.publish('c', 'after')) === 1)
    const message = async () => (await iterator.next()).value
    assert.deepEqual(await message(), { channel: 'c', value: 'before', missed: 0 })
    assert.deepEqual(await message(), { channel: 'c', value: 'after', missed: 'unknown' })
    assert.deepEqual(gaps, ['unknown'])
    const next = message()
    await service.publish('c', 'later')
    assert.deepEqual(await next, { channel: 'c', value: 'later', missed: 0 })

    // A pending read gets it when it happens.
    const waiting = message()
    await killSubscriber(redis.server)
    await until('the gap is reported', () => gaps.length === 2)
    await service.publish('c', 'last')
    assert.deepEqual(await waiting, { channel: 'c', value: 'last', missed: 'unknown' })
  })

  test('is one end of a full buffer and a lost connection: both are reported', async (context) => {
    const service = await redis.makeService({ log: false })
    context.after(() => service.disconnect())
    const gaps = []
    const options = { buffer: { messages: 2 }, onGap: ({ missed }) => gaps.push(missed) }
    const stream = await service.subscribe('c', options)
    // It hears each after the stream has got it: both share a connection.
    let heard
    await service.subscribe('c', (value) => (heard = value), { onGap: () => {} })
    const publishHeard = async (value) => {
      await service.publish('c', value)
      await until(`${value} is heard`, () => heard === value)
    }
    for (const value of [1, 2, 3]) await publishHeard(value)
    await redis.server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await until('it listens again', async () => (await service.publish('c', 4)) === 1)
    for (const value of [5, 6]) await publishHeard(value)
    const { value } = await stream[Symbol.asyncIterator]().next()
    assert.deepEqual(value, { channel: 'c', value: 5, missed: 'unknown' })
    assert.deepEqual(gaps, [4, 'unknown'])
  })

  test('an iterator of a service that never had a server ends with an error at its start', async () => {
    const service = new RedisService({ url: 'redis://127.0.0.1:1', timeoutMs: 300, log: false })
    await assert.rejects(service.subscribe('c'), (error) => {
      assertTyped(error)
      return true
    })
    await service.disconnect()
  })
})
