// What every method returns without a server where a service returns empty values.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { RedisService } from 'cinnabar'

import { methodsOf, refuses, runJson, until } from '../helpers.mjs'
import { freePort, startRedis } from '../support/engines.mjs'

/** It rejects with `E_UNAVAILABLE`: its type has no value that says that nothing is there or was done. */
const REJECTS = Symbol('rejects')
/** It calls no server, or works without one. */
const RESULTS = Symbol('results')
/** It gives an id that no session has. */
const ID = Symbol('id')

const load = () => ({ userId: 'u' })
const image = { size: 1, type: 'image/png', hash: 'x' }
const member = { score: 1, value: 'a' }

/** Methods of limiters with policies, which limit/unavailable.spec.mjs calls without a server. */
const OF_POLICIES = [
  'stats',
  'offenders',
  'peek',
  'penalize',
  'wait',
  'acquire',
  'checkAll',
  'settle',
  'refund',
  'block',
  'unblock',
  'reset',
  'override',
  'restore',
]

const EMPTY = {
  service: {
    connect: [[], REJECTS],
    get: [['k'], null],
    getBuffer: [['k'], null],
    set: [['k', 'v'], null],
    del: [['k'], 0],
    exists: [['k'], 0],
    expire: [['k', 1], false],
    hSet: [['k', 'f', 'v'], 0],
    hGet: [['k', 'f'], null],
    hGetBuffer: [['k', 'f'], null],
    hGetAll: [['k'], {}],
    hDel: [['k', 'f'], 0],
    publish: [['c', 1], 0],
    subscribe: [['c', () => {}], REJECTS],
    healthCheck: [[], RESULTS],
    disconnect: RESULTS,
    getClient: RESULTS,
    queue: RESULTS,
    with: RESULTS,
  },
  client: {
    ping: [[], REJECTS],
    info: [[], REJECTS],
    dbSize: [[], 0],
    flushAll: [[], REJECTS],
    flushDb: [[], REJECTS],
    publish: [['c', 'm'], 0],
    eval: [['return 1', 0], REJECTS],
    evalBuffer: [['return 1', 0], REJECTS],
    scan: [[], REJECTS],
    type: [['k'], REJECTS],
    exists: [['k'], 0],
    del: [['k'], 0],
    unlink: [['k'], 0],
    expire: [['k', 1], false],
    pExpire: [['k', 1], false],
    persist: [['k'], false],
    ttl: [['k'], REJECTS],
    pTTL: [['k'], REJECTS],
    get: [['k'], null],
    getBuffer: [['k'], null],
    set: [['k', 'v'], null],
    incr: [['k'], REJECTS],
    incrBy: [['k', 1], REJECTS],
    decr: [['k'], REJECTS],
    decrBy: [['k', 1], REJECTS],
    mGet: [
      ['a', ['b']],
      [null, null],
    ],
    mGetBuffer: [
      ['a', 'b'],
      [null, null],
    ],
    mSet: [[{ k: 'v' }], REJECTS],
    hSet: [['k', { f: 'v' }], 0],
    hGet: [['k', 'f'], null],
    hGetBuffer: [['k', 'f'], null],
    hGetAll: [['k'], {}],
    hGetAllBuffer: [['k'], {}],
    hDel: [['k', 'f'], 0],
    hExists: [['k', 'f'], false],
    hKeys: [['k'], []],
    hKeysBuffer: [['k'], []],
    hVals: [['k'], []],
    hValsBuffer: [['k'], []],
    hLen: [['k'], 0],
    hMGet: [
      ['k', 'f', 'g'],
      [null, null],
    ],
    hMGetBuffer: [
      ['k', ['f', 'g']],
      [null, null],
    ],
    hIncrBy: [['k', 'f', 1], REJECTS],
    lPush: [['k', 'a'], 0],
    rPush: [['k', 'a'], 0],
    lRange: [['k', 0, -1], []],
    lRangeBuffer: [['k', 0, -1], []],
    lTrim: [['k', 0, 1], REJECTS],
    lLen: [['k'], 0],
    lPop: [['k'], null],
    lPopBuffer: [['k'], null],
    rPop: [['k'], null],
    rPopBuffer: [['k'], null],
    sAdd: [['k', 'a'], 0],
    sRem: [['k', 'a'], 0],
    sMembers: [['k'], []],
    sMembersBuffer: [['k'], []],
    sIsMember: [['k', 'a'], false],
    sCard: [['k'], 0],
    zAdd: [['k', member], 0],
    zRange: [['k', 0, -1], []],
    zRangeBuffer: [['k', 0, -1], []],
    zRevRange: [['k', 0, -1], []],
    zRevRangeBuffer: [['k', 0, -1], []],
    zRangeByScore: [['k', 0, 1], []],
    zRangeByScoreBuffer: [['k', 0, 1], []],
    zScore: [['k', 'a'], null],
    zRem: [['k', 'a'], 0],
    zCard: [['k'], 0],
    zIncrBy: [['k', 1, 'a'], REJECTS],
    sendCommand: [[['GET', 'k']], REJECTS],
    scanIterator: RESULTS,
    multi: RESULTS,
    with: RESULTS,
  },
  sessions: {
    createSession: [['u'], ID],
    create: [['u'], ID],
    getSession: [['s'], null],
    get: [['s'], null],
    updateSession: [['s', { a: 1 }], false],
    update: [['s', { a: 1 }], false],
    destroySession: [['s'], 0],
    destroy: [['s'], 0],
    deleteSession: [['s'], 0],
    extendSession: [['s'], false],
    touch: [['s'], false],
    length: [[], 0],
    ids: RESULTS,
    keyOf: RESULTS,
    idOf: RESULTS,
    storeSession: [['s', {}], REJECTS],
    destroyByTag: [['t'], 0],
    invalidateUser: [['u'], 0],
    invalidateToken: [['t'], 0],
    listSessions: [['u'], []],
    describeSessions: [['u'], []],
    destroySessionOf: [['u', '0'.repeat(32)], 0],
    bind: [['s', () => {}], REJECTS],
    connections: [['u'], []],
    watch: [[() => {}], REJECTS],
    validateSession: [['token', { load }], { userId: 'u' }],
    fromRequest: RESULTS,
    withSession: RESULTS,
    stats: RESULTS,
    with: RESULTS,
  },
  cache: {
    get: [['k'], null],
    getCachedResponse: [['k'], null],
    getMany: [[['a', 'b']], [null, null]],
    getImageInfo: [['a.png'], null],
    getOrSet: [['k', () => 'loaded'], 'loaded'],
    lookup: [['k', () => 'loaded'], { value: 'loaded', source: 'load' }],
    set: [['k', 1], REJECTS],
    setCachedResponse: [['k', 1], REJECTS],
    setMany: [[[{ key: 'k', value: 1 }]], REJECTS],
    setImageInfo: [['a.png', image], REJECTS],
    invalidate: [['k'], 0],
    ttl: [['k'], null],
    has: [['k'], false],
    deleteMany: [[['a', 'b']], 0],
    invalidateCache: [['k'], 0],
    invalidateImage: [['a.png'], 0],
    invalidateByPattern: [['k*'], 0],
    invalidateByTag: [['t'], REJECTS],
    expireByTag: [['t'], REJECTS],
    clear: [[], REJECTS],
    entries: RESULTS,
    keyFor: RESULTS,
    peek: RESULTS,
    stats: RESULTS,
    with: RESULTS,
  },
  limiter: {
    checkRateLimit: [['id', 5, 60], RESULTS],
    checkLimit: [['key', 5, 60], true],
    check: [['id'], RESULTS],
    resetRateLimit: [['id'], 0],
    headers: RESULTS,
    problem: RESULTS,
    keyForRoute: RESULTS,
    ...Object.fromEntries(OF_POLICIES.map((method) => [method, RESULTS])),
    with: RESULTS,
  },
  locks: {
    acquire: [['r'], REJECTS],
    acquireAll: [[['r', 's']], REJECTS],
    list: RESULTS,
    info: [['r'], REJECTS],
    acquireLock: [['r'], null],
    releaseLock: [['r', 'token'], false],
    extendLock: [['r', 'token'], false],
    withLock: [['r', () => 1], REJECTS],
    with: RESULTS,
  },
  rooms: {
    addUserToRoom: [['r', 'u'], REJECTS],
    removeUserFromRoom: [['r', 'u'], 0],
    getRoomUsers: [['r'], {}],
    storeMessage: [['r', {}], REJECTS],
    getRecentMessages: [['r'], []],
    join: [['r', 'u'], REJECTS],
    watch: [['r'], REJECTS],
    send: [['r', {}], REJECTS],
    listen: [['r'], REJECTS],
    with: RESULTS,
  },
  queue: {
    add: [['job'], REJECTS],
    addMany: [[[{ name: 'job' }]], REJECTS],
    repeat: [['id', { everyMs: 1000 }, 'job'], REJECTS],
    unrepeat: [['id'], REJECTS],
    repeats: [[], REJECTS],
    get: [['id'], REJECTS],
    list: [['ready'], REJECTS],
    logs: [['id'], REJECTS],
    counts: [[], REJECTS],
    pause: [[], REJECTS],
    resume: [[], REJECTS],
    remove: [['id'], REJECTS],
    retry: [['id'], REJECTS],
    redrive: [[], REJECTS],
    drain: [[], REJECTS],
    clean: [['done'], REJECTS],
    process: RESULTS,
    on: RESULTS,
    once: RESULTS,
    off: RESULTS,
    addListener: RESULTS,
    removeListener: RESULTS,
    removeAllListeners: RESULTS,
    listenerCount: RESULTS,
    close: [[], RESULTS],
    with: RESULTS,
  },
}

describe('empty values without a server', () => {
  const warnings = []
  const warn = console.warn
  let service, server

  before(async () => {
    server = await startRedis()
    service = new RedisService({ url: server.url, onUnavailable: 'empty', connectWaitMs: 50, log: false })
    await service.connect()
    console.warn = (text) => warnings.push(text)
    await server.kill()
    await until('the end of the connection is noticed', () => !service.isConnected)
  })

  after(async () => {
    console.warn = warn
    await service.disconnect()
  })

  for (const [name, table] of Object.entries(EMPTY)) {
    test(`each method of ${name} gives what its type has, or rejects`, async () => {
      const object = { service, client: service.getClient(), queue: service.queue('q') }[name] ?? service[name]
      assert.deepEqual(Object.keys(table).sort(), methodsOf(object.constructor).sort(), 'the table has each method')
      const calls = Object.entries(table).filter(([, row]) => row !== RESULTS)
      const settled = await Promise.allSettled(calls.map(([method, [args]]) => object[method](...args)))
      for (const [at, [method, [, wanted]]] of calls.entries()) {
        const { status, value, reason } = settled[at]
        if (wanted === REJECTS) {
          assert.equal(status, 'rejected', `${method} gave ${JSON.stringify(value)}`)
          assert.equal(reason.code, 'E_UNAVAILABLE', `${method}: ${reason.stack}`)
          continue
        }
        assert.equal(status, 'fulfilled', `${method}: ${reason?.stack}`)
        if (wanted === ID) assert.match(value, /^[0-9a-f]{48}$/)
        else if (wanted !== RESULTS) assert.deepEqual(plain(value), wanted, method)
      }
    })
  }

  test('a request has no session', async () => {
    const session = await service.sessions.fromRequest('token')
    assert.deepEqual([session.data, session.userId], [null, null])
    await refuses(session.signIn('u'), 'E_UNAVAILABLE')
  })

  test('a transaction and a loop over keys reject', async () => {
    const client = service.getClient()
    await refuses(client.multi().set('k', 'v').get('k').exec(), 'E_UNAVAILABLE')
    await refuses(client.scanIterator().next(), 'E_UNAVAILABLE')
  })

  test('what is skipped is warned of', () => {
    assert.ok(warnings.includes('Redis not connected - skipping CREATE SESSION operation'), String(warnings))
  })

  test('two sessions that were not made have two ids', async () => {
    const [one, other] = await Promise.all([service.sessions.createSession('u'), service.sessions.createSession('u')])
    assert.match(one, /^[0-9a-f]{48}$/)
    assert.notEqual(one, other)
  })

  test('nothing that was not done looks done', async () => {
    const { locks, sessions } = service
    await refuses(sessions.createSession('u', {}, { id: 'mine' }), 'E_UNAVAILABLE')
    let ran = false
    const error = await refuses(
      locks.withLock('r', () => (ran = true)),
      'E_UNAVAILABLE',
    )
    assert.equal(error.message, 'Could not acquire lock for resource: r')
    assert.equal(error.retryable, true)
    assert.equal(error.cause.code, 'E_UNAVAILABLE')
    assert.equal(ran, false)
  })
})

test('a lock is not lost because its server cannot be asked', async () => {
  const server = await startRedis()
  const service = new RedisService({ url: server.url, onUnavailable: 'empty', connectWaitMs: 50, log: false })
  const isLost = await service.locks.withLock('r', async (token, { signal }) => {
    await server.kill()
    await until('the loss is noticed', () => !service.isConnected)
    await refuses(service.locks.extendLock('r', token), 'E_UNAVAILABLE')
    await refuses(service.locks.releaseLock('r', token), 'E_UNAVAILABLE')
    return signal.aborted
  })
  assert.equal(isLost, false)
  await service.disconnect()
})

test('NODE_ENV=development is the same without an option', async () => {
  const found = await runJson(
    `
    import { ApiCache, RealtimeDataManager, SessionManager, redisService } from 'cinnabar'
    console.warn = () => {}
    const code = (promise) => promise.then((value) => ({ value }), (error) => error.code)
    console.log(JSON.stringify(await Promise.all([
      code(redisService.get('k')),
      code(redisService.getClient().ping()),
      code(SessionManager.updateSession('s', {})),
      code(ApiCache.set('k', 1)),
      code(ApiCache.get('k')),
      code(RealtimeDataManager.storeMessage('r', {})),
    ])))
    process.exit()`,
    { env: { NODE_ENV: 'development', REDIS_URL: `redis://127.0.0.1:${await freePort()}` } },
  )
  const away = 'E_UNAVAILABLE'
  assert.deepEqual(found, [{ value: null }, away, { value: false }, away, { value: null }, away])
})

/** The same with prototypes, and without those of objects that have none. */
function plain(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : value
}
