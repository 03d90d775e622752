// The error for one element of a list says which, by its index, and nothing of the list is executed.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { refuses } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const entry = { key: 'a', value: 1 }
const job = { name: 'n', data: 1 }

/** By the call: a list whose second element is wrong, and what the error begins with. */
const WRONG = (s) => [
  [(list) => s.cache.setMany(list), [entry, { key: 'b', value: 1, ttl: -1 }], 'entries[1].ttl must be'],
  [(list) => s.cache.setMany(list), [entry, { key: 'b', value: 1, ttl: 'x' }], 'entries[1].ttl must be'],
  [(list) => s.cache.setMany(list), [entry, { key: 5, value: 1 }], 'entries[1].key must be a string'],
  [(list) => s.cache.setMany(list), [entry, { key: 'b', value: new Map() }], 'entries[1].value '],
  [(list) => s.cache.setMany(list), [entry, { key: 'b', value: 1, tags: ['x', 5] }], 'entries[1].tags[1] must be'],
  [(list) => s.cache.setMany(list), [entry, { key: 'b', value: 1, staleWhileRevalidate: 0 }], 'entries[1].stale'],
  [(list) => s.cache.getMany(list), ['a', 5], 'keys[1] must be a string'],
  [(list) => s.queue('q').addMany(list), [job, { name: '' }], 'jobs[1].name must have'],
  [(list) => s.queue('q').addMany(list), [job, { name: 5 }], 'jobs[1].name must be a string'],
  [(list) => s.queue('q').addMany(list), [job, { name: 'n', data: new Map() }], 'jobs[1].data '],
  [(list) => s.queue('q').addMany(list), [job, { name: 'n', delay: -1 }], 'jobs[1].delay must be'],
  [
    (list) => s.queue('q').addMany(list),
    [job, { name: 'n', backoff: { delayMs: -1 } }],
    'jobs[1].backoff.delayMs must',
  ],
  [(list) => s.getClient().mGet(list), ['a', undefined], 'mGet: key[1] must be'],
  [(list) => s.getClient().del(...list), ['a', undefined], 'del: key[1] must be'],
  [(list) => s.getClient().mSet(list), ['a', 1, 'b', undefined], 'mSet: value[1] must be'],
  [(list) => s.getClient().hSet('h', ...list), ['a', 1, {}, 2], 'hSet: field[1] must be'],
  [(list) => s.getClient().sAdd('s', list), ['a', NaN], 'sAdd: member[1] must be'],
  [
    (list) => s.getClient().zAdd('z', list),
    [
      { score: 1, value: 'a' },
      { score: 'x', value: 'b' },
    ],
    'zAdd: score[1] must',
  ],
  [(list) => s.getClient().zAdd('z', list), [{ score: 1, value: 'a' }, 5], 'zAdd: member[1] must be'],
]

for (const engine of engines) {
  describe(`a wrong element of a list on ${engine.name}`, () => {
    test('is named by its index, and nothing is executed', async () => {
      const service = await engine.makeService()
      await service.connect()
      for (const [call, list, words] of WRONG(service)) {
        const { message } = await refuses(call(list), 'E_INVALID_ARGUMENT')
        assert.ok(message.startsWith(words), message)
      }
      assert.equal(await service.getClient().dbSize(), 0)
      await service.disconnect()
    })

    test('a queue whose name cannot be converted to a string is refused', async () => {
      const service = await engine.makeService()
      await refuses((async () => service.queue(Object.create(null)).counts())(), 'E_INVALID_ARGUMENT')
      await service.disconnect()
    })
  })
}
