// The names in lib/option-names.js are those that the native side reads and those that types/ declares. An option that one of the
// three lacks fails here; whether a service's option has an effect is shown in service/option-effects.spec.mjs.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { root } from '../helpers.mjs'

const require = createRequire(import.meta.url)
const names = require('../../lib/option-names.js')
const { binding, getBridge } = require('../../lib/bridge.js')

/** Read in lib. */
const IN_LIB = { service: ['log', 'stacks'] }
/** Read by the native side, and refused in lib: the defaults of a queue cannot name one job. */
const REFUSED_IN_LIB = { queue: ['defaults.id', 'defaults.dedup'] }
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
  limiter: (options) => new binding.Limiter(service, options),
  locks: (options) => new binding.Lock(service, options),
  rooms: (options) => new binding.Rooms(service, options),
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
      const wanted = pathsOf(table).filter((path) => !IN_LIB[name]?.includes(path))
      const found = [...read].filter((path) => !REFUSED_IN_LIB[name]?.includes(path))
      assert.deepEqual(found.sort(), wanted.sort())
    })
  }
})

const source = readdirSync(join(root, 'types'))
  .map((file) => readFileSync(join(root, 'types', file), 'utf8'))
  .join('\n')
  .replaceAll(/\/\*\*[^]*?\*\//g, '')

/** The names of an interface's own fields. */
function declared(name) {
  const [, body] =
    new RegExp(`export interface ${name}(?:<[^{]*>)?(?: extends [^{]*)? \\{\\n([^]*?)\\n\\}`).exec(source) ?? []
  assert.ok(body, `types/ declares ${name}`)
  return [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, field]) => field)
}

/** Where each table is declared: the interface, and fields of it that lib alone reads. */
const DECLARED = {
  service: ['ServiceOptions'],
  cache: ['ApiCacheOptions', 'loadTimeoutMs'],
  cacheSet: ['CacheSetOptions'],
  sessions: ['SessionManagerOptions'],
  createSession: ['CreateSessionOptions'],
  limiter: ['RateLimiterOptions'],
  locks: ['DistributedLockOptions'],
  rooms: ['RealtimeDataManagerOptions'],
  queue: ['JobQueueOptions', 'service'],
  job: ['JobOptions'],
  worker: ['WorkerOptions'],
}
const GROUPS = {
  TlsOptions: names.service.tls,
  SentinelOptions: names.service.sentinel,
  ReconnectOptions: names.service.reconnect,
  BreakerOptions: names.service.breaker,
  KeepOptions: names.queue.keep.done,
  BackoffOptions: names.job.backoff,
}

describe('the types declare every option of the table, and no other', () => {
  for (const [name, [type, ...inLib]] of Object.entries(DECLARED)) {
    test(type, () => assert.deepEqual(declared(type).sort(), [...Object.keys(names[name]), ...inLib].sort()))
  }
  for (const [type, table] of Object.entries(GROUPS)) {
    test(type, () => assert.deepEqual(declared(type).sort(), Object.keys(table).sort()))
  }
})
