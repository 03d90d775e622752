// Extreme values, passed everywhere: each call ends in a typed error or in the right result.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import fc from 'fast-check'

import { CinnabarError, RateLimiter } from 'cinnabar'

import { assertTyped, rawClient, refuses } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

// Both engines together make more than 10,000 inputs; a failing seed is printed and can be given as FC_SEED.
const seed = process.env.FC_SEED ? Number(process.env.FC_SEED) : undefined
const runs = (numRuns) => ({ numRuns, seed, verbose: 1 })

const cyclic = {}
cyclic.self = cyclic
// Everything throws but what fast-check asks of a value to print it.
const throwing = new Proxy(
  { [fc.toStringMethod]: () => 'a trap' },
  {
    get(target, key) {
      if (typeof key === 'symbol') return target[key]
      throw new Error('a trap')
    },
    ownKeys() {
      throw new Error('a trap')
    },
  },
)
const revoked = (() => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
})()

const odd = fc.constantFrom(
  undefined,
  null,
  true,
  false,
  0,
  -0,
  -1,
  1.5,
  NaN,
  Infinity,
  -Infinity,
  2 ** 53,
  Number.MAX_VALUE,
  Number.MIN_VALUE,
  10n,
  Symbol('odd'),
  () => 'odd',
  class Odd {},
  cyclic,
  throwing,
  new Date(NaN),
  new Date(0),
  /x/,
  new Map([[1, 2]]),
  new Uint8Array([0, 255]),
  new Float64Array(2),
  new ArrayBuffer(8),
  Promise.resolve(1),
  Object.create(null),
  { toJSON: () => undefined },
  { toJSON: () => 'json' },
  {
    toJSON() {
      throw new Error('toJSON')
    },
  },
  {
    get value() {
      throw new Error('a getter')
    },
  },
  { then: 'not thenable' },
  new Proxy([], {}),
  Array(3),
  new String('boxed'),
  '',
  ' ',
  '\u0000',
  '\ud800',
  'a\udc00b',
  '*',
  '{}',
  '%',
  '__proto__',
  'constructor',
  'x'.repeat(5000),
  '\r\n*1\r\n$8\r\nFLUSHALL\r\n',
  "'); redis.call('FLUSHALL') --",
)
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.string({
    unit: fc.constantFrom('{', '}', '*', '?', '[', ']', '%', ':', '\\', '\u0000', '\ud83d', '\udd80', 'a', '\n'),
    maxLength: 12,
  }),
)
const anything = fc.oneof(
  { weight: 3, arbitrary: odd },
  { weight: 3, arbitrary: text },
  {
    weight: 2,
    arbitrary: fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withTypedArray: true,
      withSparseArray: true,
    }),
  },
)
const options = fc.oneof(
  anything,
  fc.dictionary(
    fc.constantFrom(
      'ttl',
      'tags',
      'id',
      'ttll',
      'staleWhileRevalidate',
      'EX',
      'PX',
      'NX',
      'XX',
      'pattern',
      'load',
      '__proto__',
      '',
    ),
    anything,
    {
      maxKeys: 3,
    },
  ),
)

const queueOptions = fc.oneof(
  anything,
  fc.dictionary(
    fc.constantFrom(
      'id',
      'delay',
      'attempts',
      'backoff',
      'priority',
      'dedup',
      'timeoutMs',
      'keep',
      'group',
      'limit',
      'offset',
      'concurrency',
      'limits',
      'leaseMs',
      'maxBytes',
      'defaults',
      'service',
      '__proto__',
    ),
    anything,
    { maxKeys: 3 },
  ),
)
const queues = new WeakMap()
const queueOf = (service) => {
  if (!queues.has(service)) queues.set(service, service.queue('hostile'))
  return queues.get(service)
}

const policy = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('p', 'q', 'r', 'slots') },
  { weight: 1, arbitrary: anything },
)
const checkOptions = fc.oneof(
  anything,
  fc.dictionary(
    fc.constantFrom('cost', 'limit', 'refundable', 'ttlSeconds', 'per', 'algorithm', 'burst', 'timeZone', '__proto__'),
    anything,
    { maxKeys: 3 },
  ),
)
const limiters = new WeakMap()
const limiterOf = (service) => {
  const policies = {
    p: { limit: 5, per: 60 },
    q: { algorithm: 'sliding-window', limit: 5, per: 60 },
    r: { limit: 5, per: 'day' },
    slots: { algorithm: 'concurrency', limit: 5 },
  }
  if (!limiters.has(service)) limiters.set(service, new RateLimiter(service, { policies }))
  return limiters.get(service)
}

/** Every public call, by what it takes. */
const CALLS = {
  get: [(s, a) => s.get(a), anything],
  set: [(s, a, b, o) => s.set(a, b, o), anything, anything, options],
  del: [(s, a, b) => s.del(a, b), anything, anything],
  exists: [(s, a) => s.exists(a), anything],
  expire: [(s, a, b) => s.expire(a, b), anything, anything],
  hSet: [(s, a, b, c) => s.hSet(a, b, c), anything, anything, anything],
  hGet: [(s, a, b) => s.hGet(a, b), anything, anything],
  hGetAll: [(s, a) => s.hGetAll(a), anything],
  hDel: [(s, a, b) => s.hDel(a, b), anything, anything],
  publish: [(s, a, b) => s.publish(a, b), anything, anything],
  subscribe: [
    (s, a, b, o) => s.subscribe(a, b, o).then((subscription) => subscription.close()),
    anything,
    anything,
    options,
  ],
  zAdd: [(s, a, b) => s.getClient().zAdd(a, b), anything, anything],
  mSet: [(s, a, b) => s.getClient().mSet(a, b), anything, anything],
  scan: [(s, a, o) => s.getClient().scan(a, o), anything, options],
  eval: [(s, a, b, c) => s.getClient().eval(a, b, c), odd, anything, anything],
  zRange: [(s, a, b, c, o) => s.getClient().zRange(a, b, c, o), anything, anything, anything, options],
  multi: [(s, a, b) => s.getClient().multi().set(a, b).get(a).exec(), anything, anything],
  sendCommand: [
    (s, a) => s.getClient().sendCommand(a),
    fc.oneof(odd, fc.tuple(fc.constant('GET'), anything), fc.tuple(odd, anything)),
  ],
  createSession: [(s, a, b, o) => s.sessions.createSession(a, b, o), anything, anything, options],
  getSession: [(s, a) => s.sessions.getSession(a), anything],
  updateSession: [(s, a, b, o) => s.sessions.updateSession(a, b, o), anything, anything, options],
  destroySession: [(s, a) => s.sessions.destroySession(a), anything],
  extendSession: [(s, a, b) => s.sessions.extendSession(a, b), anything, anything],
  touch: [(s, a, b) => s.sessions.touch(a, b), anything, anything],
  keyOf: [async (s, a, b) => [s.sessions.keyOf(a), s.sessions.idOf(b)], anything, anything],
  storeSession: [(s, a, b, c) => s.sessions.storeSession(a, b, c), anything, anything, anything],
  destroyByTag: [(s, a) => s.sessions.destroyByTag(a), anything],
  invalidateUser: [(s, a) => s.sessions.invalidateUser(a), anything],
  listSessions: [(s, a) => s.sessions.listSessions(a), anything],
  fromRequest: [(s, a, o) => s.sessions.fromRequest(a, o), anything, options],
  signIn: [async (s, a, b, o) => (await s.sessions.fromRequest('none')).signIn(a, b, o), anything, anything, options],
  startSession: [async (s, a, o) => (await s.sessions.fromRequest('none')).start(a, o), anything, options],
  revokeSession: [
    async (s, a) => {
      const session = await s.sessions.fromRequest('none')
      await session.signIn('u')
      return session.revoke(a)
    },
    anything,
  ],
  requestSession: [
    async (s, a, o, b) => {
      const session = await s.sessions.fromRequest('none')
      await session.signIn('u')
      await session.update(a)
      await session.rotate(o)
      return session.commit(b)
    },
    anything,
    options,
    anything,
  ],
  updateRequestSession: [
    async (s, a, o) => {
      const session = await s.sessions.fromRequest('none')
      await session.signIn('u')
      return session.update(a, o)
    },
    anything,
    options,
  ],
  bindSocket: [(s, a, b, o) => s.sessions.bind(a, b, o), anything, anything, options],
  connections: [(s, a) => s.sessions.connections(a), anything],
  validateSession: [
    (s, a, o) => s.sessions.validateSession(a, o),
    anything,
    fc.oneof(options, fc.record({ load: fc.constant(() => null), ttl: anything })),
  ],
  cacheGet: [(s, a, o) => s.cache.get(a, o), anything, options],
  cachePeek: [async (s, a) => s.cache.peek(a), anything],
  cacheSet: [(s, a, b, o) => s.cache.set(a, b, o), anything, anything, options],
  getOrSet: [
    (s, a, b, o) => s.cache.getOrSet(a, typeof b === 'function' ? () => 1 : b, o),
    anything,
    anything,
    options,
  ],
  getMany: [(s, a) => s.cache.getMany(a), fc.oneof(anything, fc.array(anything, { maxLength: 3 }))],
  setMany: [
    (s, a) => s.cache.setMany(a),
    fc.oneof(anything, fc.array(fc.oneof(anything, fc.record({ key: anything, value: anything })), { maxLength: 3 })),
  ],
  invalidate: [(s, a) => s.cache.invalidate(a), anything],
  cacheTtl: [(s, a) => s.cache.ttl(a), anything],
  cacheHas: [(s, a) => s.cache.has(a), anything],
  deleteMany: [(s, a) => s.cache.deleteMany(a), fc.oneof(anything, fc.array(anything, { maxLength: 3 }))],
  invalidateByTag: [(s, a) => s.cache.invalidateByTag(a), anything],
  expireByTag: [(s, a) => s.cache.expireByTag(a), anything],
  invalidateByPattern: [(s, a) => s.cache.invalidateByPattern(a), anything],
  setImageInfo: [(s, a, b) => s.cache.setImageInfo(a, b), anything, anything],
  checkRateLimit: [(s, a, b, c) => s.limiter.checkRateLimit(a, b, c), anything, anything, anything],
  checkLimit: [(s, a, b, c) => s.limiter.checkLimit(a, b, c), anything, anything, anything],
  check: [(s, a, b) => s.limiter.check(a, b), anything, anything],
  resetRateLimit: [(s, a) => s.limiter.resetRateLimit(a), anything],
  checkPolicy: [(s, a, b, o) => limiterOf(s).check(a, b, o), policy, anything, checkOptions],
  peekPolicy: [(s, a, b, o) => limiterOf(s).peek(a, b, o), policy, anything, checkOptions],
  penalize: [(s, a, b, o) => limiterOf(s).penalize(a, b, o), policy, anything, checkOptions],
  waitForTurn: [
    (s, a, b) => limiterOf(s).wait('q', a, { timeoutMs: 0, ...b }),
    anything,
    fc.record({ cost: anything }),
  ],
  checkAll: [
    (s, a) => limiterOf(s).checkAll(a),
    fc.oneof(
      anything,
      fc.array(fc.oneof(anything, fc.record({ policy, identifier: anything, cost: anything })), { maxLength: 3 }),
    ),
  ],
  acquire: [(s, a, b) => limiterOf(s).acquire(a, b), policy, anything],
  settle: [(s, a, b, c, d) => limiterOf(s).settle(a, b, c, d), policy, anything, anything, anything],
  block: [(s, a, b, c) => limiterOf(s).block(a, b, c), policy, anything, anything],
  override: [(s, a, b, o) => limiterOf(s).override(a, b, o), policy, anything, checkOptions],
  restore: [(s, a, b) => limiterOf(s).restore(a, b), policy, anything],
  makeLimiter: [
    async (s, a, b) => new RateLimiter(s, { policies: { a, b } }),
    fc.oneof(anything, checkOptions),
    fc.oneof(anything, checkOptions),
  ],
  acquire: [
    async (s, a, b) => {
      const lock = await s.locks.acquire(a, b)
      return [await lock.extend(), await lock.release()]
    },
    anything,
    anything,
  ],
  acquireAll: [
    async (s, a, b) => (await s.locks.acquireAll(a, b)).release(),
    fc.oneof(anything, fc.array(anything, { maxLength: 3 })),
    anything,
  ],
  info: [(s, a) => s.locks.info(a), anything],
  acquireLock: [(s, a, b) => s.locks.acquireLock(a, b), anything, anything],
  releaseLock: [(s, a, b) => s.locks.releaseLock(a, b), anything, anything],
  extendLock: [(s, a, b, c) => s.locks.extendLock(a, b, c), anything, anything, anything],
  withLock: [
    (s, a, b, c) => s.locks.withLock(a, typeof b === 'function' ? () => 1 : b, c),
    anything,
    anything,
    anything,
  ],
  addUserToRoom: [(s, a, b, c) => s.rooms.addUserToRoom(a, b, c), anything, anything, anything],
  getRoomUsers: [(s, a) => s.rooms.getRoomUsers(a), anything],
  storeMessage: [(s, a, b) => s.rooms.storeMessage(a, b), anything, anything],
  getRecentMessages: [(s, a, b) => s.rooms.getRecentMessages(a, b), anything, anything],
  joinRoom: [(s, a, b, c) => s.rooms.join(a, b, c).then((one) => one.leave()), anything, anything, anything],
  watchRoom: [(s, a, b, o) => s.rooms.watch(a, b, o).then((watch) => watch.close()), anything, anything, options],
  sendToRoom: [(s, a, b) => s.rooms.send(a, b), anything, anything],
  listenToRoom: [(s, a, b, o) => s.rooms.listen(a, b, o).then((one) => one.close()), anything, anything, options],
  addJob: [(s, a, b, o) => queueOf(s).add(a, b, o), anything, anything, queueOptions],
  addJobs: [
    (s, a) => queueOf(s).addMany(a),
    fc.oneof(
      anything,
      fc.array(fc.oneof(anything, fc.record({ name: anything, data: anything }), queueOptions), { maxLength: 3 }),
    ),
  ],
  getJob: [(s, a) => queueOf(s).get(a), anything],
  listJobs: [(s, a, o) => queueOf(s).list(a, o), fc.oneof(anything, fc.constant('ready')), queueOptions],
  jobLogs: [(s, a, o) => queueOf(s).logs(a, o), anything, queueOptions],
  removeJob: [(s, a) => queueOf(s).remove(a), anything],
  retryJob: [(s, a) => queueOf(s).retry(a), anything],
  redriveJobs: [(s, o) => queueOf(s).redrive(o), queueOptions],
  drainQueue: [(s, o) => queueOf(s).drain(o), queueOptions],
  cleanQueue: [(s, a, o) => queueOf(s).clean(a, o), fc.oneof(anything, fc.constant('dead')), queueOptions],
  finishedJob: [
    (s, o) =>
      queueOf(s)
        .add('n')
        .then((job) => job.finished({ timeoutMs: o ?? 1 })),
    odd,
  ],
  // What returns synchronously throws synchronously.
  process: [
    async (s, a, o) =>
      queueOf(s)
        .process(typeof a === 'function' ? () => 1 : a, o)
        .close({ timeoutMs: 0 }),
    anything,
    queueOptions,
  ],
  onEvent: [async (s, a, b) => queueOf(s).on(a, b).off(a, b), fc.oneof(anything, fc.constant('added')), anything],
  makeQueue: [async (s, a, o) => s.queue(a, o).counts(), anything, queueOptions],
  closeQueue: [(s, o) => queueOf(s).close(o), anything],
}

const call = fc.oneof(
  ...Object.entries(CALLS).map(([name, [run, ...args]]) => fc.tuple(fc.constant(name), fc.constant(run), ...args)),
)

for (const engine of engines) {
  describe(`hostile input on ${engine.name}`, { timeout: 170_000 }, () => {
    test('rejects with a typed error or returns, and never throws, hangs or ends the process', async (context) => {
      const service = await engine.makeService()
      await service.connect()
      let inputs = 0
      const outcomes = { settled: 0 }
      const settle = async ([name, run, ...args]) => {
        inputs++
        let promise
        try {
          promise = run(service, ...args)
        } catch (error) {
          assert.fail(`${name} threw instead of rejecting: ${error?.stack ?? String(error)}`)
        }
        assert.equal(typeof promise?.then, 'function', `${name} returned no promise`)
        try {
          await promise
          outcomes.settled++
        } catch (error) {
          // What a caller's own getter, proxy or function throws may come through as it is: a class is a function that cannot be called.
          const own = /^(a trap|toJSON|a getter|Class constructor Odd cannot be invoked without 'new')$/
          if ([Error, TypeError].includes(error?.constructor) && own.test(error.message)) {
            outcomes.thrown = (outcomes.thrown ?? 0) + 1
            return
          }
          assertTyped(error)
          assert.notEqual(error.code, 'E_INTERNAL', `${name}: ${error.message}`)
          assert.ok(error.message.length < 1000, `${name}: a message of ${error.message.length} characters`)
          outcomes[error.code] = (outcomes[error.code] ?? 0) + 1
        }
      }
      // Twenty at once, so that they share a tick and a batch: a bad call must not affect its neighbours.
      const batches = fc.asyncProperty(fc.array(call, { minLength: 20, maxLength: 20 }), async (calls) => {
        await Promise.all(calls.map(settle))
        await service.set('alive', 'yes')
        assert.equal(await service.get('alive'), 'yes')
      })
      await fc.assert(batches, runs(300))
      assert.ok(inputs >= 6000)
      context.diagnostic(`${inputs} calls: ${JSON.stringify(outcomes)}`)
      for (const code of ['settled', 'E_INVALID_ARGUMENT']) assert.ok(outcomes[code] > 100, JSON.stringify(outcomes))
      await service.disconnect()
    })

    test('what is stored comes back as JSON says it, byte for byte as text', async () => {
      const service = await engine.makeService()
      const client = await rawClient(service)
      const property = fc.asyncProperty(
        text,
        fc.jsonValue(),
        fc.string({ unit: 'binary', maxLength: 200 }),
        async (key, value, string) => {
          const wanted = JSON.parse(JSON.stringify(value))
          await service.cache.set(key, value)
          assert.deepStrictEqual(await service.cache.get(key), wanted)
          await service.cache.set(key, value, { tags: ['t'], staleWhileRevalidate: 10 })
          assert.deepStrictEqual(await service.cache.get(key), wanted)
          assert.deepStrictEqual(await service.cache.getMany([key, key]), [wanted, wanted])
          // Any text is a key of a cache; what is given raw, and what is stored by an id, is not.
          if (key === '' || key.includes('\u0000') || !key.isWellFormed()) {
            await refuses(service.sessions.storeSession(key, { value }), 'E_INVALID_ARGUMENT')
            assert.equal(await service.sessions.getSession(key), null)
            // Raw keys are bytes: only the empty one is a mistake, and what has none.
            if (!key.includes('\u0000')) await refuses(client.set(key, string), 'E_INVALID_ARGUMENT')
            return
          }
          await service.sessions.storeSession(key, { value })
          assert.deepStrictEqual(await service.sessions.getSession(key), { value: wanted })
          if (string.isWellFormed()) {
            await client.set(key, string)
            assert.equal(await client.get(key), string)
            await client.hSet(`h:${key}`, key, string)
            assert.equal((await client.hGetAll(`h:${key}`))[key], string)
          } else {
            await refuses(client.set(key, string), 'E_INVALID_ARGUMENT')
          }
        },
      )
      await fc.assert(property, runs(600))
      await service.disconnect()
    })

    test('a session keeps what an update does not name, whatever it is', async () => {
      const service = await engine.makeService()
      const record = fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 8 }), fc.jsonValue(), { maxKeys: 6 })
      const property = fc.asyncProperty(record, record, async (data, changes) => {
        const before = JSON.parse(JSON.stringify(data))
        await service.sessions.storeSession('s', data)
        assert.equal(await service.sessions.updateSession('s', changes), true)
        const merged = Object.assign(Object.create(null), before, JSON.parse(JSON.stringify(changes)))
        assert.deepStrictEqual(Object.assign(Object.create(null), await service.sessions.getSession('s')), merged)
      })
      await fc.assert(property, runs(300))
      await service.disconnect()
    })

    test('a revoked proxy is refused wherever it is passed', async () => {
      const service = await engine.makeService()
      const client = await rawClient(service)
      for (const call of [
        () => service.get(revoked),
        () => service.set('k', revoked),
        () => service.set('k', 'v', revoked),
        () => client.sendCommand(revoked),
        () => service.cache.set('k', revoked),
        () => service.cache.set('k', 1, revoked),
        () => service.cache.getMany(revoked),
        () => service.cache.setMany([revoked]),
        () => service.sessions.createSession('u', revoked),
        () => service.sessions.validateSession(revoked, { load: () => null }),
        () => service.locks.acquireLock(revoked),
      ]) {
        await assert.rejects(
          call(),
          (error) => error instanceof CinnabarError || error instanceof TypeError,
          String(call),
        )
      }
      await service.disconnect()
    })

    test('10 MB keys are refused, 10 MB values are kept', async () => {
      const service = await engine.makeService()
      const client = await rawClient(service)
      const huge = 'k'.repeat(10_000_000)
      for (const refused of [service.get(huge), service.set(huge, 'v'), client.hSet(huge, 'f', 'v')]) {
        await refuses(refused, 'E_INVALID_ARGUMENT')
      }
      // Names are hashed when they are long, so they work, but not without end.
      const outcomes = await Promise.allSettled([
        service.cache.set(huge, 1),
        service.sessions.getSession(huge),
        service.locks.acquireLock(huge),
      ])
      for (const { status, reason } of outcomes) if (status === 'rejected') assertTyped(reason, 'E_INVALID_ARGUMENT')
      assert.equal(await service.limiter.checkLimit(huge, 1, 60), true)
      assert.equal(await service.limiter.checkLimit(huge, 1, 60), false)
      const value = { text: 'ü'.repeat(5_000_000) }
      await service.cache.set('big', value)
      assert.deepEqual(await service.cache.get('big'), value)
      await service.disconnect()
    })

    test('deeply nested values are refused or kept, and never take the process down', async () => {
      const service = await engine.makeService()
      for (const [depth, wanted] of [
        [100, 'kept'],
        [5_000, undefined],
        [1_000_000, 'refused'],
      ]) {
        let value = []
        for (let i = 0; i < depth; i++) value = [value]
        for (const write of [
          () => service.cache.set('deep', value),
          () => service.sessions.storeSession('deep', { value }),
        ]) {
          const outcome = await write().then(
            () => 'kept',
            (error) => (assertTyped(error, 'E_INVALID_ARGUMENT'), 'refused'),
          )
          if (wanted) assert.equal(outcome, wanted, `${depth} deep`)
        }
        // What is kept can be changed; after what was refused, what was there before.
        assert.equal(await service.sessions.updateSession('deep', { a: 1 }), true)
      }
      await service.disconnect()
    })
  })
}
