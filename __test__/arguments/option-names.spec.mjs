// An option is in two places: the native side reads it, and types/ declares it. The table of what the native side reads has names,
// types, bounds and defaults, and is compared with types/ here. option-bounds.spec.mjs shows that the bounds are kept, and
// service/option-effects.spec.mjs that a service's option has an effect.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, test } from 'node:test'

import { declaredOptions, statedBounds, statedDefault, statedNumbers } from '../support/declared-options.mjs'
import { optionTable } from '../support/option-table.mjs'

const require = createRequire(import.meta.url)
const names = require('../../lib/option-names.js')
const { binding, getBridge } = require('../../lib/bridge.js')

/** Values without which the native side reads nothing after them. */
const REQUIRED = {
  everyMs: 60_000,
  'dedup.id': 'id',
  'limits.rate.max': 1,
  'limits.rate.perMs': 1000,
  'limits.group.rate.max': 1,
  'limits.group.rate.perMs': 1000,
}

const pathsOf = (table, within = '') =>
  Object.entries(table).flatMap(([name, nested]) => [
    `${within}${name}`,
    ...(nested === true ? [] : pathsOf(nested, `${within}${name}.`)),
  ])

/** Options that have no values but note every name that is read. */
function recorder(table, read, within = '') {
  const valueOf = (name) => {
    const path = `${within}${name}`
    read.add(path)
    if (table[name] !== undefined && table[name] !== true) return recorder(table[name], read, `${path}.`)
    return REQUIRED[path]
  }
  return new Proxy(
    {},
    {
      get: (_, name) => (typeof name === 'string' ? valueOf(name) : undefined),
      getOwnPropertyDescriptor: (_, name) => ({ value: valueOf(name), configurable: true, enumerable: true }),
      has: () => true,
    },
  )
}

const service = new binding.Service(getBridge(), { url: 'memory:' }, {})
const queue = new binding.Queue(service, 'names', {})
const READERS = {
  service: (options) => new binding.Service(getBridge(), options, {}),
  cache: (options) => new binding.Cache(service, options),
  cacheSet: (options) => new binding.Cache(service, {}).set('k', 1, options),
  sessions: (options) => new binding.Sessions(service, options),
  createSession: (options) => new binding.Sessions(service, {}).create('u', {}, options),
  updateSession: (options) => new binding.Sessions(service, {}).update('s', {}, options),
  limiter: (options) => new binding.Limiter(service, options),
  policy: (options) => new binding.Limiter(service, { policies: ['name', options] }),
  locks: (options) => new binding.Lock(service, options),
  rooms: (options) => new binding.Rooms(service, options),
  subscribe: (options) => service.subscribe('channel', options, undefined),
  queue: (options) => new binding.Queue(service, 'read', options),
  job: (options) => queue.add('name', {}, options),
  schedule: (options) => queue.repeat('id', options, 'name', {}, undefined),
  worker: (options) => queue.process(options, () => {}).close(0),
}

describe('the native side reads every option of the table, and no other', () => {
  for (const [name, table] of Object.entries(names)) {
    test(name, async () => {
      const read = new Set()
      try {
        await READERS[name](recorder(table, read))
      } catch (error) {
        // Options without values may be refused once they have been read.
        assert.equal(error.name, 'CinnabarError', error.stack)
      }
      assert.deepEqual([...read].sort(), pathsOf(table).sort())
    })
  }
})

/** Where each class or method declares what it takes: interfaces, and what in them is read by lib alone. */
const DECLARED = {
  service: { types: ['ServiceOptions'] },
  cache: {
    types: ['ApiCacheOptions', 'CacheLoadOptions'],
    inLib: ['codec', 'loadTimeoutMs', 'sharedLoads', 'eagerRefresh', 'jitter', 'nullTtl', 'errorTtl'],
  },
  cacheSet: { types: ['CacheSetOptions'] },
  sessions: { types: ['SessionManagerOptions'], inLib: ['trustedOrigins'] },
  createSession: { types: ['CreateSessionOptions'] },
  updateSession: { types: ['UpdateSessionOptions'] },
  limiter: { types: ['RateLimiterOptions', 'PolicyRateLimiterOptions'] },
  policy: {
    types: [
      'PolicyBase',
      'GcraPolicy',
      'SharedPolicyBase',
      'FixedWindowPolicy',
      'SlidingWindowPolicy',
      'CalendarPolicy',
      'ConcurrencyPolicy',
    ],
  },
  locks: { types: ['DistributedLockOptions'] },
  rooms: { types: ['RealtimeDataManagerOptions'] },
  subscribe: { types: ['StreamOptions', 'SubscribeOptions'], inLib: ['onGap', 'onError'] },
  queue: { types: ['JobQueueOptions'], inLib: ['service'] },
  job: { types: ['JobOptions'] },
  schedule: { types: ['RepeatSchedule', 'RepeatBounds'] },
  worker: { types: ['WorkerOptions'] },
}
/** How a type of the table is declared. */
const TYPES = {
  'a string': /\bstring\b/,
  'an array of keys': /\breadonly SessionEncryptionKey\[\]/,
  'an array of strings': /\breadonly (string|Extract<keyof Data, string>)\[\]/,
  'a string or an array of strings': /\bstring \| string\[\]/,
  'a string or a Buffer with PEM text': /\bstring \| Uint8Array/,
  'true or false': /\bboolean\b/,
  'a whole number': /\bnumber\b/,
  'a number': /\bnumber\b/,
  'a number of milliseconds': /\bnumber\b/,
  'a number of seconds': /\bnumber\b/,
  'a function': /=>/,
  'false or a function': /\bfalse \| .*=>/,
  'an object': /\{|[A-Z]/,
  'true, false or an object': /\bboolean \| [A-Z]/,
  'false or an object': /\bfalse \| [A-Z]/,
  'a string or an object': /^$|\bstring \| [{A-Z]/,
  "a number of seconds, 'hour', 'day', 'week', 'month' or 'year'":
    /\bnumber\b.*'hour' \| 'day' \| 'week' \| 'month' \| 'year'/,
  'a number of milliseconds or an object': /\bnumber \| [A-Z]/,
}
/** Bounds beyond these are met by mistakes only, so comments need not state them. */
const [FEW, MANY] = [1, 1e9]

const nameOf = (path) => path.split('.').at(-1)
const quoted = (text) => [...text.matchAll(/'[\w-]+'/g)].map(([word]) => word).sort()

function assertType({ type }, { path, type: read }) {
  if (read.startsWith("'")) return assert.deepEqual(quoted(type), quoted(read), path)
  assert.ok(TYPES[read], `${path} takes ${read}, which is a new type`)
  assert.match(type, TYPES[read], path)
}

function assertDefault({ doc }, option, group) {
  const stated = statedDefault(doc, nameOf(option.path))
  if (stated === undefined && group) return assertDefaultInWords(group, option)
  assert.equal(stated, option.default, `the default of ${option.path}: ${doc}`)
}

/** The comment of a group states the defaults of its numbers in their order. */
function assertDefaultInWords({ doc, numbers }, { path, default: fallback }) {
  const stated = statedNumbers(doc, numbers.map(nameOf))[numbers.indexOf(path)]
  assert.equal(stated === undefined ? undefined : String(stated), fallback, `the default of ${path} in: ${doc}`)
}

function assertBounds({ doc }, { path, least, most }) {
  if (least === undefined) return
  const stated = statedBounds(doc, nameOf(path))
  const about = (which) => `the ${which} of ${path}: ${doc}`
  if (stated.least !== undefined || Number(least) > FEW) assert.equal(stated.least, least, about('least'))
  if (stated.most !== undefined || Number(most) < MANY) assert.equal(stated.most, most, about('most'))
}

describe('types/ declares every option of the table, with its type, default and bounds, and no other', () => {
  for (const [taker, { types, inLib = [] }] of Object.entries(DECLARED)) {
    test(types[0], () => {
      const options = optionTable.filter((option) => option.taker === taker)
      const isGroup = (path) => options.some((option) => option.path.startsWith(`${path}.`))
      const declared = new Map()
      // Alternatives may declare the same option in different ways.
      for (const [path, { type, doc }] of types.flatMap((type) => [...declaredOptions(type, isGroup)])) {
        const other = declared.get(path)
        declared.set(path, other ? { type: `${other.type} | ${type}`, doc: `${other.doc} ${doc}` } : { type, doc })
      }
      assert.deepEqual([...declared.keys()].sort(), [...options.map(({ path }) => path), ...inLib].sort())
      for (const option of options) {
        const parent = option.path.slice(0, option.path.lastIndexOf('.'))
        const numbers = options.filter(({ path, least }) => least !== undefined && path.startsWith(`${parent}.`))
        const group = parent && { ...declared.get(parent), numbers: numbers.map(({ path }) => path) }
        assertType(declared.get(option.path), option)
        assertDefault(declared.get(option.path), option, group)
        assertBounds(declared.get(option.path), option)
      }
    })
  }

  test('no class or method is left out', () => {
    assert.deepEqual(new Set(optionTable.map(({ taker }) => taker)), new Set(Object.keys(DECLARED)))
  })
})
