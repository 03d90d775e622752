// Options of a service: what is refused, in which words, and that no word is a secret.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'

import fc from 'fast-check'

import {
  ApiCache,
  CinnabarError,
  DistributedLock,
  RateLimiter,
  RealtimeDataManager,
  RedisService,
  SessionManager,
} from 'cinnabar'

import { authority } from '../support/certificates.mjs'

const seed = process.env.FC_SEED ? Number(process.env.FC_SEED) : undefined

const { ca, sign } = await authority('Options')
const { cert: certificate, key } = await sign('client', { uses: ['clientAuth'] })
const { key: otherKey } = await sign('other')

/** PEM text without its second line of content, so that the content is shorter than it says. */
const cut = (pem) => pem.replace(/^(.*\n.*\n).*\n/, '$1')

/** The error that these options are refused with. */
function refusal(options) {
  try {
    new RedisService(options)
  } catch (error) {
    assert.ok(error instanceof CinnabarError, inspect(error))
    return error
  }
  return assert.fail(`nothing was wrong with ${inspect(options)}`)
}

const on = (options) => ({ url: 'redis://localhost', ...options })
const sentinel = (options) => ({ url: 'redis-sentinel://localhost', ...options })
const throwing = new Proxy(
  {},
  {
    get() {
      throw new Error('a trap')
    },
    ownKeys() {
      throw new Error('a trap')
    },
  },
)

describe('an option of a service', () => {
  test('of an unknown name is refused with the nearest one', () => {
    for (const [options, message] of [
      [{ credential: () => {} }, /unknown option "credential"; did you mean "credentials"\?/],
      [{ tls: { serverName: 'a' } }, /unknown option "tls.serverName"; did you mean "tls.servername"\?/],
      [{ reconnect: { first: 1 } }, /unknown option "reconnect.first"; did you mean "reconnect.firstMs"\?/],
      [{ breaker: { window: 1 } }, /unknown option "breaker.window"; did you mean "breaker.windowMs"\?/],
      [{ sentinel: { pass: 'a' } }, /unknown option "sentinel.pass"/],
    ]) {
      const error = refusal(options)
      assert.equal(error.code, 'E_INVALID_ARGUMENT')
      assert.match(error.message, message)
    }
  })

  test('with an invalid value is refused by its name', () => {
    const times = ['timeoutMs', 'connectTimeoutMs', 'connectWaitMs', 'keepAliveMs']
    const groups = {
      reconnect: ['firstMs', 'longestMs'],
      breaker: ['windowMs', 'openMs', 'probeTimeoutMs', 'slowCallMs'],
    }
    const cases = [
      ...times.flatMap((name) => [0, -1, NaN, Infinity, '5', null, 1e300].map((bad) => [name, { [name]: bad }])),
      ...Object.entries(groups).flatMap(([group, names]) =>
        names.flatMap((name) =>
          [0, -1, NaN, '5', null].map((bad) => [`${group}.${name}`, { [group]: { [name]: bad } }]),
        ),
      ),
      ...[0, -1, 1.01, NaN, '1'].flatMap((bad) => [
        ['breaker.errorRate', { breaker: { errorRate: bad } }],
        ['breaker.slowRate', { breaker: { slowRate: bad } }],
      ]),
      ...[0, 1.5, -1, 1e9].map((bad) => ['breaker.volume', { breaker: { volume: bad } }]),
      ...[0, 65_536, 1.5, '6379'].map((bad) => ['port', { port: bad }]),
      ...[-1, 256, 0.5].map((bad) => ['db', on({ db: bad })]),
      ...['Fred', 'ioredis', '', 1, null].map((bad) => ['driver', on({ driver: bad })]),
      ...[0, 1001].map((bad) => ['poolSize', { poolSize: bad }]),
      ...[0, 1.5, -1].map((bad) => ['maxQueuedCalls', { maxQueuedCalls: bad }]),
      ...[0, 1023, '1'].map((bad) => ['maxQueuedBytes', { maxQueuedBytes: bad }]),
      ...[1, 'yes', null, [], () => {}].map((bad) => ['tls', on({ tls: bad })]),
      ...[1, true, null, []].map((bad) => ['breaker', { breaker: bad }]),
      ...[1, true, null, []].map((bad) => ['reconnect', { reconnect: bad }]),
      ...[1, 'a', null, []].map((bad) => ['sentinel', sentinel({ sentinel: bad })]),
      ...[1, true, null, {}].map((bad) => ['log', { log: bad }]),
      ...[1, { password: 'a' }, null].map((bad) => ['credentials', on({ credentials: bad })]),
      ...['a b', 'a:1', '', 'redis://a', 7].map((bad) => ['host', { host: bad }]),
      ...['ca', 'cert', 'key'].flatMap((name) =>
        ['', '/etc/ca.pem', 7, new Uint8Array([255]), certificate.slice(0, 30), cut(name === 'key' ? key : ca)].map(
          (bad) => [`tls.${name}`, on({ tls: { ca, cert: certificate, key, [name]: bad } })],
        ),
      ),
      ...['', 'a b', 'a:1', 7].map((bad) => ['tls.servername', on({ tls: { servername: bad } })]),
    ]
    for (const [name, options] of cases) {
      const error = refusal(options)
      assert.equal(error.code, 'E_INVALID_SETTINGS', `${inspect(options)}: ${error.message}`)
      assert.ok(error.message.startsWith(`${name} `), `${inspect(options)}: ${error.message}`)
    }
  })

  test('that does not go with another is refused', () => {
    const credentials = () => ({ password: 'a' })
    for (const [options, message] of [
      [on({ host: 'a' }), /^give url, or host and port, not both$/],
      [{ host: 'a', credentials, password: 'b' }, /^give credentials, a function, or username and password/],
      [{ url: 'redis://:b@a', credentials }, /^give credentials, a function, or username and password/],
      [on({ tls: { cert: certificate } }), /^tls.cert needs tls.key/],
      [on({ tls: { key } }), /^tls.key needs tls.cert/],
      [on({ tls: { cert: certificate, key: otherKey } }), /^tls.key does not belong to tls.cert/],
      [{ url: 'rediss://a', tls: false }, /^tls is false, but the scheme of url asks for TLS/],
      [{ url: 'unix:/a', tls: true }, /^tls is for servers on the network/],
      [on({ sentinel: {} }), /^sentinel is for a url that begins with redis-sentinel:\/\//],
      [{ url: 'redis-cluster://a', db: 1 }, /^db is 1, but a cluster has only database 0/],
      [{ url: 'redis-cluster://a/1' }, /^url selects a database, but a cluster has only number 0/],
      [{ url: 'redis://a,b' }, /^url names several hosts/],
      [{ url: 'redis://a,redis://b' }, /^url has more than one URL/],
      [{ timeoutMs: 100, connectWaitMs: 101 }, /^connectWaitMs is 101ms, but a call ends after timeoutMs/],
      [{ timeoutMs: 100, breaker: { slowCallMs: 100 } }, /^breaker.slowCallMs is 100ms, but calls end after timeoutMs/],
      [{ reconnect: { firstMs: 2, longestMs: 1 } }, /^reconnect.firstMs \(2ms\) must not be above reconnect.longestMs/],
    ]) {
      const error = refusal(options)
      assert.equal(error.code, 'E_INVALID_SETTINGS', error.message)
      assert.match(error.message, message)
    }
  })

  test('may be anything else, and then nothing connects', () => {
    const bytes = (text) => new TextEncoder().encode(text)
    for (const options of [
      on({ tls: true }),
      on({ tls: {} }),
      on({
        tls: { ca: bytes(ca), cert: Buffer.from(certificate), key: bytes(key), servername: 'db.example' },
      }),
      on({ tls: { ca: ca.repeat(3), servername: '::1' } }),
      on({ breaker: false, log: false, reconnect: {}, tls: false, db: 255 }),
      on({ breaker: {}, log: () => {}, keepAliveMs: 1, maxQueuedCalls: 1, maxQueuedBytes: 1024 }),
      on({
        breaker: {
          errorRate: 1,
          slowRate: 0.001,
          windowMs: 100,
          volume: 1,
          openMs: 1,
          probeTimeoutMs: 1,
          slowCallMs: 1,
        },
      }),
      on({ tls: undefined, breaker: undefined, log: undefined, sentinel: undefined, credentials: undefined }),
      { host: '[::1]' },
      { host: 'fe80::1', port: 65_535 },
    ]) {
      assert.equal(new RedisService(options).isConnected, false)
    }
  })

  test('says where a service points, which the service then shows', () => {
    for (const [url, host, port] of [
      ['redis://ann:hush@[::1]:7000', '::1', 7000],
      ['redis-cluster://ann:hush@a,b:7000', 'a:6379,b:7000', null],
      ['redis-sentinel://ann:hush@a,[::1]:7000/main', 'a:26379,[::1]:7000', null],
      ['unix:/run/redis.sock', '/run/redis.sock', null],
    ]) {
      const shown = inspect(new RedisService({ url }), { breakLength: Infinity })
      assert.ok(shown.includes(`host: '${host}', port: ${port}`), shown)
    }
  })

  test('may be a trap, and the error is typed all the same', () => {
    for (const name of [
      'url',
      'password',
      'port',
      'tls',
      'breaker',
      'sentinel',
      'credentials',
      'log',
      'onUnavailable',
    ]) {
      const trap = Object.defineProperty({}, name, {
        enumerable: true,
        get() {
          throw new Error('a trap')
        },
      })
      assert.match(refusal(trap).message, new RegExp(name))
    }
    for (const name of ['tls', 'breaker', 'reconnect', 'sentinel']) refusal(sentinel({ [name]: throwing }))
    refusal(throwing)
  })
})

describe('a secret', () => {
  const token = 'zq7k'
  const piece = fc.constantFrom(token, ...'@:/?#%[],=& é\0\n\\"\'-._')
  const secrets = fc
    .tuple(fc.array(piece, { maxLength: 6 }), fc.array(piece, { maxLength: 6 }))
    .map(([before, after]) => [...before, token, ...after].join(''))
  const places = [
    (secret) => ({ url: `redis://ann:${secret}@localhost:1/0` }),
    (secret) => ({ url: `redis://ann:${secret}@localhost:x` }),
    (secret) => ({ url: `http://ann:${secret}@localhost` }),
    (secret) => ({ url: `ann:${secret}@localhost` }),
    (secret) => ({ url: `redis-cluster://:${secret}@a,b:7000` }),
    (secret) => ({ url: `redis-cluster://:${secret}@a,b:7000/1` }),
    (secret) => ({ url: `rediss-sentinel://ann:${secret}@a,b/main/0` }),
    (secret) => ({ url: `unix://ann:${secret}@/run/redis.sock` }),
    (secret) => ({ host: `redis://ann:${secret}@localhost` }),
    (secret) => on({ password: secret }),
    (secret) => on({ password: [secret] }),
    (secret) => on({ password: secret, timeoutMs: 0 }),
    (secret) => on({ password: secret, credentials: () => ({ password: secret }) }),
    (secret) => on({ credentials: { password: secret } }),
    (secret) => sentinel({ sentinel: { password: secret } }),
    (secret) => on({ sentinel: { password: secret } }),
    (secret) => sentinel({ sentinel: secret }),
    (secret) => on({ tls: { cert: certificate, key: secret } }),
    (secret) => on({ tls: { cert: secret, key } }),
    (secret) => on({ tls: { cert: certificate, key: key + secret } }),
    (secret) => on({ tls: secret }),
    (secret) => on({ log: secret }),
    (secret) => on({ onUnavailable: secret }),
    (secret) => on({ breaker: secret, password: secret }),
  ]

  test('is nowhere in an error, nor in what a service shows of itself', () => {
    fc.assert(
      fc.property(secrets, fc.constantFrom(...places), (secret, place) => {
        let result
        try {
          result = new RedisService(place(secret))
        } catch (error) {
          assert.ok(error instanceof CinnabarError)
          result = error
        }
        const shown = [inspect(result, { depth: 10, showHidden: true }), JSON.stringify(result), String(result)]
        for (const text of [...shown, result.message, result.stack]) assert.doesNotMatch(text ?? '', /zq7k/)
      }),
      { numRuns: 2000, seed, verbose: 1 },
    )
  })
})

describe('each option is read once', () => {
  const isPlain = (value) => Object.getPrototypeOf(value) === Object.prototype

  /** Options that count how often each is read, whose values are right the first time only. */
  function counted(values, reads, within = '') {
    const options = {}
    for (const [name, value] of Object.entries(values)) {
      const isGroup = isPlain(value)
      const first = isGroup ? counted(value, reads, `${within}${name}.`) : value
      const get = () => {
        reads[within + name] = (reads[within + name] ?? 0) + 1
        return reads[within + name] === 1 ? first : Symbol('read again')
      }
      Object.defineProperty(options, name, { get, enumerable: true })
    }
    return options
  }

  const namesOf = (values, within = '') =>
    Object.entries(values).flatMap(([name, value]) => [
      within + name,
      ...(isPlain(value) ? namesOf(value, `${within}${name}.`) : []),
    ])

  const load = () => ({ id: 'u' })
  const takers = {
    RedisService: [
      (options) => new RedisService(options),
      {
        host: '127.0.0.1',
        port: 1,
        username: 'u',
        password: randomUUID(),
        db: 0,
        poolSize: 1,
        timeoutMs: 50,
        tls: { servername: 'name', rejectUnauthorized: true },
        reconnect: { firstMs: 10, longestMs: 20 },
        breaker: { errorRate: 0.5, windowMs: 1000, volume: 10, openMs: 10 },
        onUnavailable: 'throw',
        log: false,
        stacks: false,
      },
    ],
    ApiCache: [
      (options, s) => new ApiCache(s, options),
      { prefix: 'a:', ttl: 5, loadTimeoutMs: 5, onUnavailable: 'throw' },
    ],
    SessionManager: [(options, s) => new SessionManager(s, options), { prefix: 's:', ttl: 5, rolling: true }],
    RateLimiter: [(options, s) => new RateLimiter(s, options), { prefix: 'l:', onUnavailable: 'allow' }],
    DistributedLock: [(options, s) => new DistributedLock(s, options), { prefix: 'd:' }],
    RealtimeDataManager: [(options, s) => new RealtimeDataManager(s, options), { prefix: 'r:', leaseMs: 5000 }],
    JobQueue: [(options, s) => s.queue('q', options), { prefix: 'q:', leaseMs: 5000, defaults: { attempts: 2 } }],
    with: [(options, s) => s.with(options).get('k'), { timeoutMs: 5000, signal: new AbortController().signal }],
    disconnect: [(options) => new RedisService({ url: 'memory:' }).disconnect(options), { drainMs: 5 }],
    'cache.set': [(options, s) => s.cache.set('k', 1, options), { ttl: 5, tags: ['t'], staleWhileRevalidate: 5 }],
    'cache.getOrSet': [
      (options, s) => s.cache.getOrSet('l', load, options),
      { ttl: 5, tags: ['t'], staleWhileRevalidate: 5 },
    ],
    'cache.setMany': [
      (options, s) => s.cache.setMany([options]),
      { key: 'm', value: 1, ttl: 5, tags: ['t'], staleWhileRevalidate: 5 },
    ],
    createSession: [
      (options, s) => s.sessions.createSession('u', {}, options),
      { ttl: 5, tags: ['t'], id: randomUUID() },
    ],
    validateSession: [
      (options, s) => s.sessions.validateSession('token', options),
      { load, ttl: 5, cookie: 'c', userId: (user) => user.id },
    ],
    check: [(options, s) => s.limiter.check('ip', options), { limit: 5, windowSeconds: 5 }],
    publish: [(options, s) => s.publish('c', 1, options), { sharded: false }],
    subscribe: [
      (options, s) => s.subscribe('c', load, options).then((subscription) => subscription.close()),
      { pattern: false, buffer: { messages: 5 }, overflow: 'drop-oldest', onGap: load, onError: load },
    ],
    'rooms.listen': [
      (options, s) => s.rooms.listen('r', load, options).then((listener) => listener.close()),
      { since: 0, onGap: load, onError: load },
    ],
    'queue.add': [
      (options, s) => s.queue('q').add('n', 1, options),
      { delay: 5, attempts: 2, backoff: { type: 'fixed', delayMs: 5 }, priority: 1, keep: true, id: 'i' },
    ],
  }

  for (const [what, [take, values]] of Object.entries(takers)) {
    test(`of ${what}`, async () => {
      const service = new RedisService({ url: `memory:${randomUUID()}` })
      const reads = {}
      const object = await take(counted(values, reads), service)
      // Managers validate some of it no sooner.
      if (typeof object?.with === 'function') object.with({ timeoutMs: 5 })
      assert.deepEqual(reads, Object.fromEntries(namesOf(values).map((name) => [name, 1])))
      await service.disconnect()
    })
  }
})
