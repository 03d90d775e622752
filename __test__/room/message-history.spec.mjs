import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

for (const engine of engines) {
  describe(`kept messages on ${engine.name}`, () => {
    const on = (run) => async () => {
      const service = await engine.makeService({ log: false })
      try {
        await run(service.rooms)
      } finally {
        await service.disconnect()
      }
    }

    test(
      'are heard to the last, however large two neighbours are together',
      on(async (rooms) => {
        const sizes = [10, 50_000, 1_000_000, 50_000, 900_000, 900_000, 10, 1_000_000, 1_000_000, 10]
        const numbers = []
        for (const [n, size] of sizes.entries()) numbers.push(await rooms.send('lobby', { n, text: 'x'.repeat(size) }))
        for (const from of [-1, 0, 1, 2, 4, 7, 8]) {
          const heard = []
          const listener = await rooms.listen('lobby', ({ n }) => heard.push(n), {
            since: from < 0 ? 0 : numbers[from],
            onGap: ({ missed }) => heard.push(`gap ${missed}`),
          })
          const wanted = [...sizes.keys()].slice(from + 1)
          await until('all are heard', () => heard.length >= wanted.length)
          assert.deepEqual(heard, wanted)
          await listener.close()
        }
      }),
    )

    test(
      'that were only stored are no sent ones, whatever number they bring',
      on(async (rooms) => {
        const first = await rooms.send('lobby', { text: 'one' })
        for (const seq of [first - 1, first, first + 1, first + 3, Number.MAX_VALUE]) {
          await rooms.storeMessage('lobby', { timestamp: 0, text: 'forged', seq })
        }
        await rooms.storeMessage('lobby', { timestamp: 0, text: 'own', seq: 7 })
        const stored = (await rooms.getRecentMessages('lobby')).map(({ text, seq }) => [text, seq])
        assert.deepEqual(stored, [
          ['own', 7],
          ...Array.from({ length: 5 }, () => ['forged', undefined]),
          ['one', first],
        ])
        for (const text of ['two', 'three', 'four']) await rooms.send('lobby', { text, seq: first + 90 })
        const heard = []
        const hear = ({ text, seq }, number) => heard.push([text, number - first, seq - first])
        const onGap = ({ missed }) => heard.push(['gap', missed])
        await rooms.listen('lobby', hear, { since: first, onGap })
        await rooms.send('lobby', { text: 'five' })
        await until('all are heard', () => heard.length >= 4)
        assert.deepEqual(heard, [
          ['two', 1, 1],
          ['three', 2, 2],
          ['four', 3, 3],
          ['five', 4, 4],
        ])
      }),
    )
  })
}
