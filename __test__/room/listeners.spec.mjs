import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'

import { RealtimeDataManager } from 'cinnabar'

import { deferred, noSubscribers, rawClient, refuses, runModule, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const range = (count, first = 0) => Array.from({ length: count }, (_, i) => first + i)

/** What a listener heard, as `n` of each message and `gap n`. */
function recorder() {
  const heard = []
  const handler = ({ n, seq }, number) => {
    assert.equal(seq, number)
    heard.push(n)
  }
  return { heard, handler, onGap: ({ missed }) => heard.push(`gap ${missed}`) }
}

for (const engine of engines) {
  describe(`messages of rooms on ${engine.name}`, () => {
    const withRooms = (run, options) => async () => {
      const service = await engine.makeService({ log: false })
      try {
        await run(new RealtimeDataManager(service, options), await rawClient(service), service)
      } finally {
        await service.disconnect()
      }
    }

    test(
      'have numbers that follow each other, and are kept like stored ones',
      withRooms(async (rooms, client) => {
        const first = await rooms.send('lobby', { text: 'a', list: [], n: 1.5 })
        assert.ok(Number.isSafeInteger(first) && first > 1e15, `${first}`)
        assert.equal(await rooms.send('lobby', { text: 'b', seq: 'mine', timestamp: 0 }), first + 1)
        await rooms.storeMessage('lobby', { text: 'stored' })
        assert.equal(await rooms.send('lobby', {}), first + 2)
        assert.ok((await rooms.send('other', {})) > 1e15)
        const recent = await rooms.getRecentMessages('lobby')
        assert.deepEqual(
          recent.map(({ text, seq }) => [text, seq]),
          [
            [undefined, first + 2],
            ['stored', undefined],
            ['b', first + 1],
            ['a', first],
          ],
        )
        assert.deepEqual({ ...recent[3], timestamp: '' }, { text: 'a', list: [], n: 1.5, timestamp: '', seq: first })
        assert.ok(Math.abs(new Date(recent[2].timestamp) - Date.now()) < 60_000)
        for (let i = 0; i < 120; i++) await rooms.send('lobby', { i })
        assert.equal(await client.lLen('room:lobby:messages'), 100)
        const ttl = await client.ttl('room:lobby:messages')
        assert.ok(ttl > 86_390 && ttl <= 86_400)
      }),
    )

    test(
      'reach everyone who listens, in order',
      withRooms(async (rooms) => {
        const [a, b] = [recorder(), recorder()]
        await rooms.listen('lobby', a.handler)
        const listener = await rooms.listen('lobby', b.handler)
        const numbers = await Promise.all(range(500).map((n) => rooms.send('lobby', { n })))
        assert.deepEqual(
          numbers,
          numbers.map((_, i) => numbers[0] + i),
        )
        await until('all have come', () => a.heard.length === 500 && b.heard.length === 500)
        assert.deepEqual([a.heard, b.heard], [range(500), range(500)])
        await listener.close()
        await listener.close()
        await rooms.send('lobby', { n: 500 })
        await until('the other heard it', () => a.heard.length === 501)
        assert.equal(b.heard.length, 500)
      }),
    )

    test(
      'that were sent before are replayed, then live ones follow',
      withRooms(async (rooms) => {
        const numbers = []
        for (const n of range(20)) numbers.push(await rooms.send('lobby', { n }))
        const [all, some, none, late] = [recorder(), recorder(), recorder(), recorder()]
        await rooms.listen('lobby', all.handler, { since: 0, onGap: all.onGap })
        await rooms.listen('lobby', some.handler, { since: numbers[9], onGap: some.onGap })
        await rooms.listen('lobby', none.handler, { since: numbers[19], onGap: none.onGap })
        await rooms.listen('lobby', late.handler)
        for (const n of range(5, 20)) await rooms.send('lobby', { n })
        await until('all have come', () => all.heard.length === 25 && late.heard.length === 5)
        assert.deepEqual(all.heard, range(25))
        assert.deepEqual(some.heard, range(15, 10))
        assert.deepEqual(none.heard, range(5, 20))
        assert.deepEqual(late.heard, range(5, 20))
      }),
    )

    test(
      'are replayed while others are sent, each once',
      withRooms(async (rooms) => {
        for (const n of range(50)) await rooms.send('lobby', { n })
        const listeners = []
        const sending = Promise.all(range(400, 50).map((n) => rooms.send('lobby', { n })))
        for (let i = 0; i < 10; i++) {
          const listener = recorder()
          listeners.push(listener)
          await rooms.listen('lobby', listener.handler, { since: 0, onGap: listener.onGap })
        }
        await sending
        await rooms.send('lobby', { n: 450 })
        await until('all have come', () => listeners.every(({ heard }) => heard.at(-1) === 450))
        for (const { heard } of listeners) assert.deepEqual(heard, range(heard.length, 451 - heard.length))
      }),
    )

    test(
      'that are not kept any more are a gap where they are missing',
      withRooms(async (rooms, client) => {
        const numbers = []
        for (const n of range(150)) numbers.push(await rooms.send('lobby', { n }))
        const since = async (number) => {
          const listener = recorder()
          const { handler, onGap } = listener
          await rooms.listen('lobby', handler, { since: number, onGap })
          return listener.heard
        }
        const [ten, first, all, unknown] = [
          await since(numbers[9]),
          await since(numbers[0]),
          await since(0),
          await since(numbers[149] + 7),
        ]
        const ancient = await since(1)
        await until('all have come', () => ancient.length === 101)
        assert.deepEqual(ten, ['gap 40', ...range(100, 50)])
        assert.deepEqual(first, ['gap 49', ...range(100, 50)])
        assert.deepEqual(all, range(100, 50), 'what is kept was asked for')
        assert.deepEqual(unknown, ['gap unknown'])
        assert.deepEqual(ancient, ['gap unknown', ...range(100, 50)])
        await client.del('room:lobby:messages')
        assert.deepEqual(await since(numbers[149]), [])
        const over = await since(numbers[140])
        await until('it is reported', () => over.length === 1)
        assert.deepEqual(over, ['gap 9'])
      }),
    )

    test(
      'that are stored only, or published by others, are none of theirs',
      withRooms(async (rooms, client) => {
        const { heard, handler, onGap } = recorder()
        await rooms.listen('lobby', handler, { since: 0, onGap })
        await rooms.storeMessage('lobby', { n: -1, timestamp: 0, seq: 5 })
        await client.publish('room:{room:lobby:messages}:live', 'text')
        await client.publish('room:{room:lobby:messages}:live', '{"n":-2}')
        await rooms.send('lobby', { n: 1 })
        await rooms.storeMessage('lobby', { n: -3 })
        await rooms.send('lobby', { n: 2 })
        await until('all have come', () => heard.length === 2)
        assert.deepEqual(heard, [1, 2])
      }),
    )

    test(
      'are lost with the data of the server, which is reported, and numbers still grow',
      withRooms(async (rooms, client) => {
        const { heard, handler, onGap } = recorder()
        await rooms.listen('lobby', handler, { onGap })
        const before = await rooms.send('lobby', { n: 1 })
        await until('it is heard', () => heard.length === 1)
        await client.sendCommand(['FLUSHALL'])
        assert.ok((await rooms.send('lobby', { n: 2 })) > before)
        await rooms.send('lobby', { n: 3 })
        await until('all have come', () => heard.includes(3))
        assert.deepEqual(
          heard.filter((n) => n !== 'gap unknown'),
          [1, 2, 3],
        )
      }),
    )

    test(
      'are never given a number twice by who has seen it, though the server has lost some',
      withRooms(async (rooms, client, service) => {
        const { heard, handler, onGap } = recorder()
        await rooms.listen('lobby', handler, { onGap })
        const first = await rooms.send('lobby', { n: 1 })
        for (const n of [2, 3]) await rooms.send('lobby', { n })
        await until('they are heard', () => heard.length === 3)
        // As after a failover to a replica that lagged behind.
        await client.hSet('room:{room:lobby:messages}:seq', 'seq', String(first))
        await client.lTrim('room:lobby:messages', -1, -1)
        assert.equal(await rooms.send('lobby', { n: 4 }), first + 3)
        await until('all have come', () => heard.includes(4))
        assert.deepEqual(heard, [1, 2, 3, 4])
        const late = recorder()
        await rooms.listen('lobby', late.handler, { since: first, onGap: late.onGap })
        await until('it is reported', () => late.heard.length === 2)
        assert.deepEqual(late.heard, ['gap unknown', 4])
        // And by one that has not.
        await client.hSet('room:{room:lobby:messages}:seq', 'seq', String(first + 1))
        await new RealtimeDataManager(service).send('lobby', { n: 5 })
        await until('all have come', () => heard.includes(5))
        assert.deepEqual(heard, [1, 2, 3, 4, 'gap unknown', 5])
      }),
    )

    test(
      'are iterated over at the speed of the loop',
      withRooms(async (rooms) => {
        const stream = await rooms.listen('lobby')
        const first = await rooms.send('lobby', { n: 0 })
        await Promise.all(range(2999, 1).map((n) => rooms.send('lobby', { n })))
        const seen = []
        for await (const { message, seq, missed } of stream) {
          assert.deepEqual([seq, message.seq, missed], [first + seen.length, seq, 0])
          seen.push(message.n)
          if (seen.length === 3000) break
        }
        assert.deepEqual(seen, range(3000))
        assert.deepEqual(await stream[Symbol.asyncIterator]().next(), { done: true, value: undefined })
        const numbers = await Promise.all(range(120).map((n) => rooms.send('lobby', { n })))
        const late = await rooms.listen('lobby', { since: numbers[0] })
        const { value } = await late[Symbol.asyncIterator]().next()
        assert.deepEqual([value.missed, value.message.n], [19, 20])
      }),
    )

    test(
      'for a listener that is blocked cost no memory, delay no other listener, and come in order when it goes on',
      withRooms(async (rooms) => {
        const [quick, still] = [recorder(), recorder()]
        await rooms.listen('lobby', quick.handler)
        const stream = await rooms.listen('lobby', { onGap: still.onGap })
        const text = 'x'.repeat(2000)
        const total = 12_000
        for (let n = 0; n < total; n += 500) {
          await Promise.all(range(500, n).map((n) => rooms.send('lobby', { n, text })))
        }
        await until('the other has heard all', () => quick.heard.length === total)
        assert.deepEqual(quick.heard, range(total))
        for await (const { message } of stream) {
          still.heard.push(message.n)
          if (message.n === total - 1) break
        }
        const gaps = still.heard.filter((n) => typeof n === 'string')
        const missed = gaps.reduce((sum, gap) => sum + Number(gap.slice(4)), 0)
        const numbers = still.heard.filter((n) => typeof n === 'number')
        assert.equal(numbers.length + missed, total, gaps.join(' '))
        assert.ok(missed > 0, 'more than is kept for it')
        let next = 0
        for (const n of still.heard) {
          if (typeof n === 'string') next += Number(n.slice(4))
          else assert.equal(n, next++)
        }
      }),
    )

    test(
      'are refused if they are none, and nothing is written then',
      withRooms(async (rooms, client) => {
        const cyclic = {}
        cyclic.self = cyclic
        const huge = { text: 'x'.repeat(1 << 20) }
        for (const message of [undefined, null, 42, 'text', [], cyclic, { n: 1n }, () => 1, Symbol('x'), huge]) {
          await refuses(rooms.send('lobby', message), 'E_INVALID_ARGUMENT')
        }
        for (const since of [-1, 1.5, NaN, Infinity, 2 ** 53, '5', {}, new Date(), Symbol('x')]) {
          await refuses(
            rooms.listen('lobby', () => {}, { since }),
            'E_INVALID_ARGUMENT',
          )
          await refuses(rooms.listen('lobby', { since }), 'E_INVALID_ARGUMENT')
        }
        for (const handler of [null, 42, 'text', Symbol('x')]) {
          await refuses(rooms.listen('lobby', handler), 'E_INVALID_ARGUMENT')
        }
        await refuses(
          rooms.listen('lobby', () => {}, { sinse: 1 }),
          'E_INVALID_ARGUMENT',
          /did you mean "since"/,
        )
        await refuses(rooms.listen('lobby', { onGap: 1 }), 'E_INVALID_ARGUMENT')
        assert.equal(await client.dbSize(), 0)
        const large = { text: 'x'.repeat(1_000_000) }
        await rooms.send('lobby', large)
        assert.equal((await rooms.getRecentMessages('lobby'))[0].text, large.text)
      }),
    )

    test(
      'of a room whose key holds something else are refused, and end who listens',
      withRooms(async (rooms, client) => {
        await client.set('room:lobby:messages', 'text')
        await refuses(rooms.send('lobby', {}), 'E_WRONG_TYPE')
        await rooms.send('other', { n: 1 })
        await client.hSet('room:{room:lobby:messages}:seq', 'seq', '1795000000000000')
        await refuses(
          rooms.listen('lobby', () => {}, { since: 1 }),
          'E_WRONG_TYPE',
        )
        const ended = deferred()
        const { heard, handler, onGap } = recorder()
        await rooms.listen('other', handler, { onGap, onError: ended.resolve })
        await client.set('room:other:messages', 'text')
        await client.publish('room:{room:other:messages}:live', '{"n":9,"seq":1995000000000000}')
        assert.equal((await ended.promise).code, 'E_WRONG_TYPE')
        assert.deepEqual(heard, [])
        await noSubscribers(client, 'room:{room:other:messages}:live')
      }),
    )

    test(
      'a handler that throws is reported once, and gets the rest',
      withRooms(async (rooms) => {
        const error = mock.method(console, 'error', () => {})
        const seen = []
        await rooms.listen('lobby', ({ n }) => {
          seen.push(n)
          if (n % 2) throw new Error(`no ${n}`)
          return Promise.reject(new Error(`no ${n}`))
        })
        for (const n of range(6)) await rooms.send('lobby', { n })
        await until('all have come', () => seen.length === 6)
        await new Promise(setImmediate)
        error.mock.restore()
        assert.equal(error.mock.callCount(), 1)
      }),
    )

    test('a closed service neither sends nor listens, and ends who did', async () => {
      const service = await engine.makeService()
      const rooms = new RealtimeDataManager(service)
      const stream = await rooms.listen('lobby')
      const waiting = stream[Symbol.asyncIterator]().next()
      await service.disconnect()
      assert.deepEqual(await waiting, { done: true, value: undefined })
      await refuses(rooms.send('lobby', {}), 'E_CLOSED')
      await refuses(rooms.listen('lobby'), 'E_CLOSED')
      await refuses(rooms.watch('lobby'), 'E_CLOSED')
      await stream.close()
      await service.connect()
      await rooms.send('lobby', {})
      await service.disconnect()
    })

    test('an open listener keeps the process alive, a closed one does not', async () => {
      await engine.makeService().then((service) => service.disconnect())
      const source = `
        import { RealtimeDataManager as rooms } from 'cinnabar'
        const listener = await rooms.listen('lobby', ({ n }) => {
          console.log(n)
          if (n === 2) listener.close()
        })
        setTimeout(async () => {
          await rooms.send('lobby', { n: 1 })
          await rooms.send('lobby', { n: 2 })
        }, 20)`
      const { status, out, err } = await runModule(source, { env: engine.env(), timeout: 20_000 })
      assert.deepEqual([status, out], [0, '1\n2\n'], err)
    })
  })
}
