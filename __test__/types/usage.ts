// Everything the package exports, used as its documentation says. Compiled, never run.
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener } from 'node:http'

import {
  ApiCache,
  CinnabarError,
  DistributedLock,
  type Lock,
  type LockGroup,
  type HeldLock,
  type LockInfo,
  type LockMode,
  type ReleaseOutcome,
  JobQueue,
  QuorumLock,
  type QuorumLockHandle,
  RateLimiter,
  RealtimeDataManager,
  RedisService,
  SessionManager,
  UnrecoverableError,
  addressList,
  clientIp,
  healthCheck,
  healthHandler,
  publish,
  redisService,
  shutdownOnSignal,
  subscribe,
} from 'cinnabar'
import type {
  ActiveJob,
  AddedJob,
  AddressList,
  CacheEntry,
  ApiCacheStats,
  CacheStats,
  JsonInput,
  Jsonify,
  ClosedWorkers,
  ErrorCode,
  Gap,
  Health,
  HealthAlertCode,
  HealthBreaker,
  HealthHandler,
  HealthPool,
  HealthProblem,
  HealthServer,
  ImageInfo,
  Job,
  JobCounts,
  JobHandler,
  JobState,
  JobWorker,
  Membership,
  Multi,
  MultiResult,
  MultiResults,
  Message,
  MessageStream,
  RateLimitPolicy,
  RateLimitProblem,
  RateLimitResult,
  RawClient,
  Reply,
  BufferReply,
  RoomWatch,
  RoomWatchStream,
  ServiceEvent,
  DescribedSession,
  ServiceHealth,
  ServiceOptions,
  Session,
  SessionEncryptionKey,
  SessionStats,
  Subscription,
} from 'cinnabar'
import { advanceTime } from 'cinnabar/testing'

/** Fails to compile unless both types are the same. */
function same<A, B>(_: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false): void {}

interface User {
  name: string
  roles: string[]
}

export async function service(): Promise<void> {
  const service = new RedisService({
    url: 'redis://localhost:6379/1',
    host: 'localhost',
    port: 6379,
    username: 'app',
    password: 'given at run time',
    tls: false,
    db: 1,
    poolSize: 10,
    timeoutMs: 5000,
    connectTimeoutMs: 10_000,
    connectWaitMs: 3000,
    retryAttempts: 3,
    reconnect: { firstMs: 50, longestMs: 2000 },
    maxQueuedCalls: 50_000,
    maxQueuedBytes: 1 << 26,
    keepAliveMs: 10_000,
    breaker: false,
    maxBytes: 1 << 20,
    onUnavailable: 'empty',
    log: ({ at, type, target, message }) => console.info(at, type, target, message),
  })
  const options: ServiceOptions = {
    url: 'rediss-sentinel://one,two:26380/mymaster',
    credentials: async () => ({ username: 'app', password: 'given at run time', expiresAt: 1 }),
    tls: {
      ca: 'PEM',
      cert: new Uint8Array(),
      key: 'PEM',
      servername: 'db.example',
      fingerprint: ['AB:CD'],
      rejectUnauthorized: true,
    },
    sentinel: { username: 'watch', password: 'given at run time' },
    breaker: {
      errorRate: 0.5,
      windowMs: 10_000,
      volume: 20,
      openMs: 30_000,
      probeTimeoutMs: 5000,
      slowCallMs: 1000,
      slowRate: 0.8,
    },
    log: (event: ServiceEvent) => console.log(new Date(event.at), event.type === 'lost', event.target, event.message),
  }
  void [new RedisService(options), new RedisService({ credentials: () => ({ password: 'given at run time' }) })]
  const { signal } = new AbortController()
  const bound: RedisService = service.with({ timeoutMs: 200 }).with({ signal })
  const { incr } = bound.getClient()?.with({ timeoutMs: 50 }) ?? {}
  await incr?.('hits')
  await ApiCache.with({ signal }).getOrSet('key', () => 1)
  await ApiCache.getOrSet('key', () => 1, { ttl: 5, signal, timeoutMs: 200 })
  const cached = new ApiCache(redisService, { near: { mode: 'strict', maxBytes: 1 << 20 }, sharedLoads: true })
  const names: readonly string[] | undefined = cached.peek<{ names: string[] }>('key')?.names
  const frozen = await cached.get<{ at: Date }>('key', { frozen: true, signal })
  const at: string | undefined = frozen?.at
  const found = await cached.lookup('key', () => ({ names }), { staleIfError: 60 })
  void [at, found.value.names, found.source === 'near', cached.stats().nearHits]
  const nearby = new SessionManager(redisService, { near: { mode: 'push', maxBytes: 1 << 20, maxStalenessMs: 100 } })
  void [nearby.stats().nearHits, new SessionManager(redisService, { near: true })]
  await DistributedLock.withLock('key', () => 1, 5, { signal })
  await SessionManager.validateSession('token', { load: () => ({ id: 1 }), timeoutMs: 200 })
  await service.getClient().sendCommand(['GET', 'key'], { signal, buffers: true })
  await new DistributedLock(service).with({ signal }).withLock('key', () => 1, 5)
  const stop: () => void = shutdownOnSignal(['SIGTERM'], service)
  shutdownOnSignal({ signals: ['SIGTERM'], service, beforeMs: 5000, drainMs: 1000 })
  healthHandler({ probe: 'live' })
  stop()
  await service.disconnect({ drainMs: 100 })
  await service.connect()
  same<boolean, typeof service.isConnected>(true)
  const value = await service.get('key')
  same<string | null, typeof value>(true)
  const stored = await service.set('key', 'value', { EX: 60, NX: true })
  same<'OK' | null, typeof stored>(true)
  await service.set(new Uint8Array([1]), 7, { PX: 60, XX: true })
  const counts: number[] = [await service.del('a', 'b'), await service.exists('a'), await service.hDel('h', 'f', 'g')]
  const flag: boolean = await service.expire('key', 60)
  const fields: number = (await service.hSet('h', 'f', 'v')) + (await service.hSet('h', { f: 'v', g: 2 }))
  const field: string | null = await service.hGet('h', 'f')
  const hash: Record<string, string> = await service.hGetAll('h')
  const health: ServiceHealth = await service.healthCheck()
  const parts: [SessionManager, ApiCache, RateLimiter, DistributedLock, RealtimeDataManager] = [
    service.sessions,
    service.cache,
    service.limiter,
    service.locks,
    service.rooms,
  ]
  await advanceTime(service, 1000)
  await service.disconnect()
  await using disposed = new RedisService({ url: 'memory:' })
  const client: RawClient = redisService.getClient()
  void [counts, flag, fields, field, hash, health, parts, disposed, client]
}

export async function client(client: RawClient): Promise<void> {
  const ready: boolean = client.isReady
  const buffer: Buffer | null = await client.getBuffer('k')
  const buffers: (Buffer | null)[] = await client.mGetBuffer(['k'])
  const record: Record<string, Buffer> = await client.hGetAllBuffer('h')
  const plain = await client.sendCommand(['GET', 'k'])
  same<Reply, typeof plain>(true)
  const inBytes = await client.sendCommand(['GET', 'k'], { buffers: true })
  same<BufferReply, typeof inBytes>(true)
  for await (const keys of client.scanIterator({ MATCH: 'a*', COUNT: 10 })) await client.del(keys)
  await client.set('k', 'v', { expiration: { type: 'EX', value: 10 }, condition: 'NX' })
  await client.multi().sendCommand(['OBJECT', 'FREQ', 'k'], { buffers: true }).getBuffer('k').eval('return 1', 0).exec()
  void [buffer, buffers, record]
  const previous = await client.set('k', 'v', { GET: true, KEEPTTL: true })
  same<string | null, typeof previous>(true)
  const numbers: number[] = [
    await client.incr('n'),
    await client.incrBy('n', 2),
    await client.decr('n'),
    await client.decrBy('n', 2),
    await client.ttl('n'),
    await client.pTTL('n'),
    await client.dbSize(),
    await client.unlink('a', ['b', 'c']),
    await client.lPush('l', 'a', 'b'),
    await client.rPush('l', ['a', 'b']),
    await client.lLen('l'),
    await client.sAdd('s', 'a', 'b'),
    await client.sRem('s', ['a']),
    await client.sCard('s'),
    await client.zAdd('z', [{ score: 1, value: 'a' }]),
    await client.zAdd('z', { score: Infinity, value: 'b' }),
    await client.zRem('z', 'a'),
    await client.zCard('z'),
    await client.zIncrBy('z', 1, 'a'),
    await client.hLen('h'),
    await client.hIncrBy('h', 'f', 1),
    await client.publish('channel', 'message'),
  ]
  const flags: boolean[] = [
    await client.expire('k', 1),
    await client.pExpire('k', 1),
    await client.persist('k'),
    await client.sIsMember('s', 'a'),
    await client.hExists('h', 'f'),
  ]
  const lists: string[][] = [
    await client.lRange('l', 0, -1),
    await client.sMembers('s'),
    await client.hKeys('h'),
    await client.hVals('h'),
    await client.zRange('z', 0, -1, { REV: true }),
    await client.zRange('z', '(1', '+inf', { BY: 'SCORE', LIMIT: { offset: 0, count: 10 } }),
    await client.zRevRange('z', 0, -1),
    await client.zRangeByScore('z', '-inf', 5, { LIMIT: { offset: 0, count: 10 } }),
  ]
  const maybe: (string | null)[] = [
    ...(await client.mGet('a', 'b')),
    ...(await client.mGet(['a', 'b'])),
    ...(await client.hMGet('h', 'f')),
    await client.lPop('l'),
    await client.rPop('l'),
  ]
  const texts: string[] = [
    await client.mSet({ a: 1, b: 'two' }),
    await client.mSet([
      ['a', 1],
      ['b', 'two'],
    ]),
    await client.mSet('a', 1, 'b', 'two'),
    await client.lTrim('l', 0, 9),
    await client.info(),
    await client.info('memory'),
    await client.type('k'),
    await client.ping(),
  ]
  const score: number | null = await client.zScore('z', 'a')
  const { cursor, keys }: { cursor: string; keys: string[] } = await client.scan(0, { MATCH: 'a*', COUNT: 100 })
  const reply: Reply = await client.eval('return KEYS[1]', 1, 'k', 'arg')
  const typed: number = await client.sendCommand<number>(['STRLEN', 'k'])

  const results = await client
    .multi()
    .set('k', 'v', { EX: 1 })
    .get('k')
    .hSet('h', 'f', 'v')
    .hSet('h', { f: 'v' })
    .zAdd('z', [{ score: 1, value: 'a' }])
    .exec()
  const error: CinnabarError | null = results[0][0]
  same<MultiResults<[string | null, string | null, number, number, number]>, typeof results>(true)
  const [[failed, first], [, second]] = results
  same<string | null, typeof second>(true)
  if (failed === null) same<string | null, typeof first>(true)
  const [[, hits], [, info]] = await client.multi().incr('n').sendCommand(['INFO'], { buffers: true }).exec()
  same<number | null, typeof hits>(true)
  same<BufferReply, typeof info>(true)
  const collected: Multi = client.multi()
  let again: Multi = client.multi().get('k')
  for (const key of ['a', 'b']) {
    collected.incr(key)
    again = again.set(key, 1)
  }
  same<MultiResult[], Awaited<ReturnType<typeof collected.exec>>>(true)
  const unchained = client.multi()
  unchained.incr('n')
  const value: unknown = (await unchained.exec())[0][1]
  const sums: MultiResult<number>[] = await again.exec<number>()
  void [ready, numbers, flags, lists, maybe, texts, score, cursor, keys, reply, typed, error, value, sums]
}

export async function sessions(request: Request, incoming: IncomingMessage): Promise<void> {
  type Signed = User & { role?: string; any?: string }
  const own = new SessionManager<Signed>(redisService, { prefix: 'session:', ttl: 3600, rolling: true })
  const keys: SessionEncryptionKey[] = [{ id: 'k1', key: new Uint8Array(32) }]
  new SessionManager(redisService, { encryption: { keys: [{ id: 'k2', key: 'base64' }, ...keys], acceptPlain: true } })
  const typed = await own.getSession('x')
  same<Session<Signed> | null, typeof typed>(true)
  if (typed) same<string, typeof typed.name & typeof typed.userId & typeof typed.createdAt>(true)
  await own.createSession('user123', { name: 'Ada', roles: [], role: 'admin' })
  const total: number = await own.length()
  void total
  const devices: DescribedSession<Signed>[] = await own.describeSessions('user123', { current: 'x' })
  void devices.map(({ publicId, session, ttl, current }) => [publicId, session.name, ttl, current])
  for (const sessions of [new SessionManager(), SessionManager]) {
    const id: string = await sessions.createSession(
      'user123',
      { role: 'admin' },
      { ttl: 60, tags: ['tenant:1'], id: 'x' },
    )
    const loose = await sessions.getSession(id)
    const anything: unknown = loose?.whatever
    const flags: boolean[] = [
      await sessions.updateSession(id, { role: 'user' }),
      await sessions.extendSession(id),
      await sessions.extendSession(id, 60),
      await sessions.touch(id),
      await sessions.touch(id, 60),
      await sessions.updateSession(id, {}, { ttl: 60, remove: ['role'] }),
      await sessions.update(id, {}),
    ]
    for await (const each of sessions.ids()) same<string, typeof each>(true)
    const names: (string | null)[] = [sessions.keyOf(id), SessionManager.idOf('session:a')]
    void names
    const counts: number[] = [
      await sessions.destroySession(id),
      await sessions.destroyByTag('tenant:1'),
      await sessions.invalidateUser('user123'),
      await sessions.destroy(id),
      await sessions.deleteSession(id),
    ]
    await sessions.storeSession('user123', { any: 'thing' }, 60)
    const ids: string[] = await sessions.listSessions('user123')
    const created: string = await sessions.create('user123')
    const got = await sessions.get(id)
    same<Session | null, typeof got>(true)
    const load = async (tokenHash: string): Promise<User | null> => (tokenHash ? { name: 'a', roles: [] } : null)
    const user = await sessions.validateSession(request, { load, ttl: 300, cookie: 'sid' })
    same<User | null, typeof user>(true)
    await sessions.validateSession(request.headers, { load })
    await sessions.validateSession(incoming, { load })
    await sessions.validateSession('token', { load: () => null })
    await sessions.validateSession('token', { load: () => ({ uuid: 7n }), userId: (found) => found.uuid })
    const signedOut: number[] = [
      await sessions.invalidateToken('token'),
      await sessions.invalidateToken(incoming, { cookie: 'sid' }),
      await sessions.destroySessionOf('user123', 'public'),
    ]
    const mine = await sessions.getSession(request, { cookie: 'sid' })
    same<Session | null, typeof mine>(true)
    await sessions.get(incoming)
    void signedOut
    const stats: SessionStats = sessions.stats()
    same<number, typeof stats.fallbacks>(true)
    void [anything, flags, counts, ids, created, stats]
  }
}

// JSON as applications declare it, and as an ORM does.
type OwnJson = string | number | boolean | null | OwnJson[] | { [key: string]: OwnJson }
type ColumnObject = { [Key in string]?: ColumnJson }
interface ColumnArray extends Array<ColumnJson> {}
type ColumnJson = string | number | boolean | ColumnObject | ColumnArray | null
interface Tree {
  at: Date
  below: Tree[]
}
declare const ownJson: OwnJson
declare const row: { at: Date; column: ColumnJson; rows: OwnJson[] }
declare const root: Tree
declare const nested: { a: readonly Date[]; b: [Date, ...number[]]; c: (Date | undefined)[][] }

function cached<T>(key: string, load: () => Promise<T>) {
  return ApiCache.getOrSet(key, load)
}

async function put<T>(key: string, value: T): Promise<void> {
  await ApiCache.set(key, value, { ttl: 60 })
  await ApiCache.setCachedResponse(key, value)
  await ApiCache.setMany([{ key, value }])
  await publish(key, value)
}

async function putRow<T extends { id: string }>(row: T): Promise<void> {
  const checked: JsonInput<T> = row
  await ApiCache.set(row.id, checked)
}

/** In every feature, a value has the type that it has after a round trip through JSON. */
export async function jsonEverywhere(): Promise<void> {
  interface Seen {
    at: Date
    left?: Date
    tags: Set<string>[]
  }
  const sessions = new SessionManager<{ at: Date; left?: Date }>()
  const id = await sessions.createSession('ada', { at: new Date() })
  // As `await cookies()` of Next.js types it.
  type Cookie = { name: string; value: string }
  const jar = {} as {
    get(...args: [name: string] | [Cookie]): Cookie | undefined
    getAll(...args: [name: string] | [Cookie] | []): Cookie[]
    has(name: string): boolean
  }
  const session = (await sessions.getSession(jar)) ?? (await sessions.getSession(id))
  if (session) same<string, typeof session.at & typeof session.userId>(true)
  await sessions.updateSession(id, { left: new Date() })
  const [device] = await sessions.describeSessions('ada')
  same<string | undefined, typeof device.session.left>(true)
  const user = await sessions.validateSession('token', { load: () => ({ id: 1, at: new Date() }) })
  same<{ id: number; at: string } | null, typeof user>(true)
  const found = await sessions.validateSession('token', { load: () => null as Seen | null, userId: ({ at }) => +at })
  same<{ at: string; left?: string; tags: never[] } | null, typeof found>(true)
  const queue = new JobQueue<{ at: Date }, { done: Date } | undefined>('q')
  const added = await queue.add('job', { at: new Date() })
  same<Date, typeof added.data.at>(true)
  const result = await added.finished()
  same<{ done: string } | undefined, typeof result>(true)
  queue.process(({ data }) => ({ done: new Date(data.at.toUpperCase()) }))
  const at: string | undefined = (await queue.get('id'))?.data.at
  queue.on('completed', ({ result }) => result?.done.toUpperCase())
  same<string, Awaited<ReturnType<typeof queue.repeats>>[0]['data']['at']>(true)
  const silent = new JobQueue<{ to: string }, void>('silent')
  silent.process(async () => {})
  const nothing: undefined = await (await silent.add('job', { to: 'ada' })).finished()
  await RealtimeDataManager.send('r', { at: new Date() })
  const [message] = await RealtimeDataManager.getRecentMessages<{ at: Date }>('r')
  same<string, typeof message.at & typeof message.timestamp>(true)
  await RealtimeDataManager.listen<{ at: Date }>('r', ({ at }) => at.toUpperCase())
  for await (const { user } of await RealtimeDataManager.watch<{ at: Date }>('r')) if ('at' in user) user.at.trim()
  await publish('c', new Uint8Array(1))
  await publish('c', { at: new Date() })
  void [at, nothing]
}

export async function ttls(client: RawClient): Promise<void> {
  const ttl: number | undefined = 5
  await redisService.set('k', 'v', { EX: ttl, XX: true })
  await redisService.set('k', 'v', { PX: 5, condition: 'XX' })
  await redisService.set('k', 'v', ttl ? { EX: ttl, NX: true } : undefined)
  await redisService.set('k', 'v', { expiration: { type: 'PX', value: 5 }, NX: true })
  await client.set('k', 'v', { expiration: 'KEEPTTL' })
  await client.set('k', 'v', { KEEPTTL: true, XX: true })
}

export async function cache(bytes: Uint8Array): Promise<void> {
  const own = new ApiCache(redisService, { prefix: 'api:', ttl: 300, loadTimeoutMs: 10_000, onUnavailable: 'throw' })
  for (const cache of [own, ApiCache]) {
    const user = await cache.get<User>('user:1')
    same<User | null, typeof user>(true)
    const untyped = await cache.get('user:1')
    same<unknown, typeof untyped>(true)
    await cache.set('user:1', { name: 'a' }, { ttl: 60, tags: ['users'], staleWhileRevalidate: 600 })
    const counts: number[] = [await cache.invalidate('user:1'), await cache.invalidateByPattern('user:*')]
    await cache.invalidateByTag('users')
    const many = await cache.getMany<User>(['a', 'b'])
    same<(User | null)[], typeof many>(true)
    const entries: CacheEntry[] = [{ key: 'a', value: 1, ttl: 60, tags: ['t'] }]
    await cache.setMany(entries)
    const loaded = await cache.getOrSet('user:1', async (key) => ({ name: key, roles: ['a'] }), { ttl: 60 })
    const said = await cache.getOrSet('user:1', async (key, load) => {
      const stale = await load.stale<{ etag: string; at: Date }>()
      if (stale) load.setTtl(stale.at.length)
      await load.addTags(['tag'] as const)
      if (load.signal.aborted) load.skip()
      return { name: key, etag: stale?.etag }
    })
    said.name satisfies string
    const structured = new ApiCache(redisService, {
      codec: 'structured',
      compress: { minBytes: 5 },
      encryption: { keys: [] },
    })
    await structured.set('date', new Map([[new Date(), 1n]]))
    const dates = await structured.getOrSet('date', () => new Map<Date, bigint>())
    same<Map<Date, bigint>, typeof dates>(true)
    const stored = await structured.with({ timeoutMs: 5 }).get<Date>('date')
    same<Date | null, typeof stored>(true)
    new ApiCache(redisService, { codec: { encode: String, decode: String } })
    await cache.lookup('user:1', () => null, { eagerRefresh: 0.8, jitter: 0.1, nullTtl: 5, errorTtl: 1, tags: ['t'] })
    await Promise.all([cache.expireByTag('users'), cache.clear()])
    for await (const [key, value] of cache.entries<User>()) same<[string, User], [typeof key, typeof value]>(true)
    same<{ name: string; roles: string[] }, typeof loaded>(true)
    const stated = await cache.getOrSet<User>('user:1', () => ({ name: 'a', roles: [] }))
    same<User, typeof stated>(true)
    const info: ImageInfo = await cache.setImageInfo('a.png', bytes, { ttl: 60 })
    await cache.setImageInfo('a.png', { size: 1, type: 'image/png', hash: 'x' })
    const known: ImageInfo | null = await cache.getImageInfo('a.png')
    counts.push(await cache.invalidateImage('a.png'), await cache.invalidateCache('users'))
    const response = await cache.getCachedResponse<User[]>('users')
    same<User[] | null, typeof response>(true)
    await cache.setCachedResponse('users', [{ name: 'a' }], 60)
    const key: string = cache.keyFor('/users', { page: 1 })
    cache.keyFor('/search', new URLSearchParams('q=shoes'))
    const kept = await cache.getOrSet('dates', () => ({
      at: new Date(),
      or: null as Date | null,
      f: () => 1,
      n: [1, undefined],
    }))
    same<{ at: string; or: string | null; n: (number | null)[] }, typeof kept>(true)
    const found = await cache.get<{ at: Date; left?: Date }>('dates')
    same<{ at: string; left?: string } | null, typeof found>(true)
    const nothing = await cache.getOrSet('nothing', () => undefined)
    same<undefined, typeof nothing>(true)
    const anything = await cache.getOrSet('any', () => JSON.parse('1'))
    same<any, typeof anything>(true)
    same<never, Jsonify<Map<string, number> | Set<string> | Error | Uint8Array | bigint>>(true)
    same<{ a: [string, 1]; u: unknown }, Jsonify<{ a: [Date, 1]; u: unknown; readonly [Symbol.iterator]: 1 }>>(true)
    const stats: ApiCacheStats = cache.stats()
    const own = await cache.getOrSet('json', () => ownJson)
    same<OwnJson, typeof own>(true)
    const column = await cache.getOrSet('column', async () => row)
    same<{ at: string; column: ColumnJson; rows: OwnJson[] }, typeof column>(true)
    const tree: string = (await cache.getOrSet('tree', () => root)).below[0].below[0].at
    const lists = await cache.getOrSet('lists', () => nested)
    same<{ a: readonly string[]; b: [string, ...number[]]; c: (string | null)[][] }, typeof lists>(true)
    const wrapped = await cached('wrapped', async () => row)
    same<{ at: string; column: ColumnJson; rows: OwnJson[] }, typeof wrapped>(true)
    await put('wrapped', { at: new Date() })
    await putRow({ id: 'row' })
    await cache.set('json', ownJson)
    await cache.set('date', new Date())
    await cache.set('unknown', JSON.parse('1') as unknown)
    await cache.set('null', null)
    await cache.setMany([
      { key: 'a', value: 1 },
      { key: 'b', value: { at: new Date() }, tags: ['t'] },
    ])
    await cache.setMany(['a', 'b'].map((key) => ({ key, value: row })))
    void [counts, info, known, key, stats, tree]
  }
}

export function addresses(message: IncomingMessage, request: Request, bun: { address: string } | null): void {
  const proxies: AddressList = addressList(['10.0.0.0/8'])
  const ip: string | null = clientIp(message, { trustedProxies: proxies, header: 'cf-connecting-ip', ipv6Prefix: 56 })
  const listed: boolean = proxies.includes(ip)
  clientIp(request, { remoteAddress: bun, trustedProxies: 1 })
  clientIp(request.headers, { remoteAddress: { transport: 'tcp', hostname: '::1', port: 1 }, trustedProxies: ['::1'] })
  RateLimiter.clientIp({ raw: message })
  // @ts-expect-error
  clientIp('127.0.0.1')
  void listed
}

export async function limits(): Promise<Response> {
  const own = new RateLimiter(redisService, { prefix: 'rate_limit:', onUnavailable: 'local' })
  let result: RateLimitResult | undefined
  for (const limiter of [own, RateLimiter]) {
    result = await limiter.checkRateLimit('user123', 100, 3600)
    result = await limiter.checkRateLimit('user123')
    result = await limiter.check('user123', 'AUTH')
    result = await limiter.check('user123', { limit: 5, windowSeconds: 60 })
    const removed: number = await limiter.resetRateLimit('user123')
    const allowed: boolean = await limiter.checkLimit(limiter.keyForRoute('127.0.0.1', '/api'), 5, 60)
    void [removed, allowed]
  }
  same<'store' | 'share' | 'cache' | 'local' | 'fallback', RateLimitResult['source']>(true)
  same<number, RateLimitResult['retryAfterMs']>(true)
  const policies = new RateLimiter(redisService, {
    policies: {
      login: { algorithm: 'gcra', limit: 5, per: 300, burst: 2, strict: true },
      api: { algorithm: 'sliding-window', limit: 5, per: 60, shadow: true },
      daily: { limit: Infinity, per: 'day', timeZone: 'Europe/Berlin' },
    },
  })
  result = await policies.check('login', 'ann', { cost: 2, limit: 9, refundable: true, timeoutMs: 50 })
  // @ts-expect-error no such policy
  result = await policies.check('logout', 'ann')
  // @ts-expect-error a preset is for limiters without policies
  result = await policies.check('ann', 'AUTH')
  result = await policies.with({ timeoutMs: 50 }).wait('daily', 'ann', { timeoutMs: 1000 })
  const all = await policies.checkAll([{ policy: 'api', identifier: 'ann' }])
  same<boolean, typeof all.allowed>(true)
  same<boolean, Awaited<ReturnType<typeof policies.settle>>>(true)
  same<string | null | undefined, ReturnType<typeof policies.offenders>[0]['policy'] | undefined>(true)
  void new RateLimiter(redisService, {
    policies: {
      p: { algorithm: 'fixed-window', limit: 1, per: 1, mode: 'shares' },
      q: { limit: 1, per: 'day', mode: 'store' },
    },
  })
  // @ts-expect-error shares are for windows that do not slide
  const sliding: RateLimitPolicy = { algorithm: 'sliding-window', limit: 1, per: 1, mode: 'shares' }
  void sliding
  // @ts-expect-error a burst is for token buckets
  void new RateLimiter(redisService, { policies: { p: { algorithm: 'fixed-window', limit: 1, per: 1, burst: 1 } } })
  // @ts-expect-error a word is for calendars
  void new RateLimiter(redisService, { policies: { p: { algorithm: 'gcra', limit: 1, per: 'day' } } })
  const limit: number = RateLimiter.presets.AUTH.limit
  if (result!.allowed) {
    const headers = own.headers(result!, { draft: 7, name: 'login', windowSeconds: 60 })
    return new Response(null, { status: 429, headers: { ...headers, ...RateLimiter.headers(result!, limit) } })
  }
  // @ts-expect-error
  RateLimiter.headers(result!, { draft: 5 })
  const problem: RateLimitProblem = RateLimiter.problem(result!, { policies: ['login'], draft: 'legacy' })
  return new Response(problem.body, problem)
}

export async function locks(): Promise<void> {
  for (const locks of [new DistributedLock(redisService, { prefix: 'lock:', holder: 'web-1' }), DistributedLock]) {
    const token: string | null = await locks.acquireLock('resource', 30)
    if (token === null) return
    const flags: boolean[] = [await locks.extendLock('resource', token, 60), await locks.releaseLock('resource', token)]
    const lock: Lock = await locks.acquire('resource', {
      ttlSeconds: 10,
      maxHoldSeconds: 60,
      heartbeatSeconds: 5,
      mode: 'read',
      replicas: { count: 1, timeoutMs: 100 },
      wait: { timeoutMs: 10, fair: true },
    })
    // @ts-expect-error
    await locks.acquire('resource', { mode: 'shared' })
    const child: Lock = lock.child()
    const mode: LockMode = child.mode
    for await (const held of locks.list()) same<HeldLock, typeof held>(true)
    const fence: number = lock.fence
    const isHeld: boolean = lock.held && !lock.signal.aborted && (await lock.extend(5))
    const released: ReleaseOutcome = await lock.release()
    const group: LockGroup = await locks.acquireAll(['a', 'b'], { wait: { timeoutMs: 10 } })
    const outcomes: ReleaseOutcome[] = await group.release()
    // @ts-expect-error
    await locks.acquireAll('a')
    void [group.held, group.signal.aborted, group.locks[0]?.fence, outcomes]
    const skipped: number | undefined = await locks.withLock('resource', () => fence, 30, { skipIfHeld: true })
    const { held, ttlMs, waiting, holders, acquiredAt }: LockInfo = await locks.info('resource')
    void [held, ttlMs, waiting, holders, acquiredAt, mode, lock.resource, lock.token, isHeld, released, skipped]
    const outcome = await locks.withLock('resource', async (token) => token.length, 30)
    await locks.withLock('resource', async (_token, { signal }) => {
      same<AbortSignal, typeof signal>(true)
      signal.throwIfAborted()
    })
    same<number, typeof outcome>(true)
    void flags
  }
}

export async function quorum(services: RedisService[]): Promise<number> {
  const locks: QuorumLock = new QuorumLock(services, { prefix: 'lock:' })
  const lock: QuorumLockHandle = await locks.acquire('r', { ttlSeconds: 5, wait: { timeoutMs: 10 } })
  // @ts-expect-error
  await locks.acquire('r', { wait: { fair: true } })
  const outcome: ReleaseOutcome = await lock.release()
  void [lock.held, lock.signal.aborted, await lock.extend(5), outcome]
  return locks.withLock('r', ({ signal }) => (signal.aborted ? 0 : 1), 30, { maxHoldSeconds: 60 })
}

export async function rooms(): Promise<void> {
  for (const rooms of [new RealtimeDataManager(redisService, { prefix: 'room:' }), RealtimeDataManager]) {
    await rooms.addUserToRoom('room', 'user', { name: 'a' })
    await rooms.addUserToRoom('room', 'user')
    const users = await rooms.getRoomUsers<{ name: string }>('room')
    const user = users['user']
    if ('joinedAt' in user) same<string, typeof user.name & typeof user.joinedAt>(true)
    else same<'Invalid data', typeof user.error>(true)
    await rooms.storeMessage('room', { text: 'hello' })
    const messages = await rooms.getRecentMessages<{ text: string }>('room', 20)
    const text: string = messages[0].text + messages[0].timestamp
    const removed: number = await rooms.removeUserFromRoom('room', 'user')
    void [text, removed]
    await using membership: Membership = await rooms.join('room', 'user', { name: 'a' })
    same<string, typeof membership.roomId & typeof membership.userId>(true)
    const seq: number = await rooms.send('room', { text: 'hello' })
    const onError = (error: CinnabarError) => void error.code
    const onGap = ({ missed }: Gap) => void missed
    using listener: Subscription = await rooms.listen<{ text: string }>(
      'room',
      (message, seq) => [message.text, message.timestamp, same<number, typeof seq & typeof message.seq>(true)],
      { since: seq, onGap, onError },
    )
    for await (const { message, seq, missed } of await rooms.listen<{ text: string }>('room', { since: 0, onGap })) {
      same<number, typeof message.seq & typeof seq>(true)
      same<number | 'unknown', typeof missed>(true)
    }
    await using watch: RoomWatch = await rooms.watch('room', ({ type, userId, user }) => [type, userId, user], {
      onError,
    })
    const all: RoomWatchStream<{ name: string }> = await rooms.watch('room')
    for await (const change of all) {
      same<'join' | 'leave' | 'update', typeof change.type>(true)
      const known = all.users.get(change.userId) ?? change.user
      if ('joinedAt' in known) same<string, typeof known.name>(true)
    }
    await membership.leave()
    void [listener, watch]
  }
  void new RealtimeDataManager(redisService, { leaseMs: 5000 })
}

export async function messages(): Promise<void> {
  const receivers: number = await publish('prism:events', { any: 'thing' })
  const subscription: Subscription = await subscribe<User>('prism:events', (user, channel) => user.name + channel)
  await subscription.close()
  await using all = await redisService.subscribe('prism:*', async (value) => void value, { pattern: true })
  const again: number = await redisService.publish('prism:events', null)
  using slow = await subscribe('c', () => {}, {
    buffer: { messages: 10, bytes: 1000 },
    overflow: 'error',
    onGap: ({ missed }) => same<number | 'unknown', typeof missed>(true),
    onError: (error) => same<ErrorCode, typeof error.code>(true),
  })
  await using stream: MessageStream<User> = await redisService.subscribe<User>('c', { buffer: { messages: 10 } })
  for await (const { channel, value, missed } of stream) {
    same<string, typeof channel>(true)
    same<User, typeof value>(true)
    same<number | 'unknown', typeof missed>(true)
  }
  const { value }: IteratorResult<Message> = await (await subscribe('c'))[Symbol.asyncIterator]().next()
  await subscribe('c', () => {}, { sharded: true })
  const received: number = await publish('c', 1, { sharded: true })
  void [slow, value, received]
  void [receivers, all, again]
}

interface Mail {
  to: string
}

export async function queues(): Promise<void> {
  const queue = new JobQueue<Mail, number>('mails', {
    service: redisService,
    prefix: 'queue:',
    leaseMs: 5000,
    maxBytes: 1 << 16,
    maxCrashes: 3,
    keep: { done: false, dead: { count: 10, ageSeconds: 60, bytes: 1 << 20 } },
    defaults: { attempts: 5, backoff: { type: 'exponential', delayMs: 100, maxMs: 5000, jitter: 0.5 }, group: 'all' },
  })
  const added: AddedJob<Mail, number> = await queue.add(
    'welcome',
    { to: 'ada' },
    { delay: 10, attempts: 2, backoff: 50, priority: -1, id: 'x', dedup: 'y', timeoutMs: 500, keep: false, group: 'g' },
  )
  const many = await queue.addMany([{ name: 'welcome', data: { to: 'bob' }, dedup: { id: 'z', ttlMs: 5 } }])
  const isNew: boolean = added.isNew && many[0].isNew
  const result: number = await added.finished({ timeoutMs: 1000 })
  const handler: JobHandler<Mail, number> = async (job, { signal, progress, log }) => {
    progress({ of: job.attempt / job.attempts })
    log(`${job.id} ${job.crashes} ${job.priority} ${job.group ?? ''} ${job.timeoutMs} ${job.createdAt}`)
    if (signal.aborted) throw new UnrecoverableError('too late', { cause: signal.reason })
    return job.data.to.length
  }
  const worker: JobWorker = queue.process(handler, {
    concurrency: 4,
    limits: { concurrency: 10, rate: { max: 5, perMs: 1000 }, group: { concurrency: 1, rate: { max: 1, perMs: 10 } } },
  })
  queue.process((job: ActiveJob<Mail, number>) => job.data.to.length)
  worker.pause()
  worker.resume()
  const busy: boolean = worker.running > 0 && !worker.isPaused
  const job: Job<Mail, number> | null = await queue.get('x')
  const to: string | undefined = job?.data.to
  const value: number | undefined = job?.result
  const why: string | undefined = job?.error?.message
  const state: JobState | undefined = job?.state
  const due: number | null | undefined = job?.dueAt
  const dead: Job<Mail, number>[] = await queue.list('dead', { offset: 0, limit: 10 })
  const lines: string[] = await queue.logs('x', { limit: 10 })
  const counts: JobCounts = await queue.counts()
  await queue.pause()
  await queue.resume()
  const flags: boolean[] = [await queue.remove('x'), await queue.retry('x'), counts.paused]
  const numbers: number[] = [
    await queue.redrive({ limit: 5 }),
    await queue.drain({ delayed: true }),
    await queue.clean('done', { olderThanMs: 1000, limit: 5 }),
  ]
  queue
    .on('completed', ({ id, result }) => void [id, result?.toFixed()])
    .once('progress', ({ progress }) => void progress)
    .on('failed', ({ attempt, error }) => void [attempt, error?.stack])
    .on('gap', ({ missed }) => void missed)
    .on('error', (error) => void error.code)
    .off('added', () => {})
  const bound = queue.with({ timeoutMs: 100 })
  same<typeof queue, typeof bound>(true)
  const mine = redisService.queue<Mail>('mails', { leaseMs: 500 })
  const untyped = await new JobQueue('anything').add('name', { any: 'thing' })
  const closed: ClosedWorkers = await queue.close({ timeoutMs: 100 })
  await using again = redisService.queue('again')
  void [isNew, result, busy, to, value, why, state, due, dead, lines, flags, numbers, mine, untyped, closed, again]
}

export async function health(): Promise<void> {
  const health: Health = await healthCheck()
  const other: Health = await healthCheck(new RedisService())
  const { staleHits }: { staleHits: number } = health.cache.metrics
  void staleHits
  const { hitRate }: { hitRate: number } = health.sessionCache.metrics
  const state: 'healthy' | 'degraded' | 'down' = health.status
  const ms: number | null = health.performance.ping
  const slower: Health = await healthCheck(undefined, { timeoutMs: 500, slowMs: 20 })
  const alerts: string[] = health.alerts
  const problem: HealthProblem | null = health.lastError
  const code: ErrorCode | undefined = health.lastError?.code
  const breaker: HealthBreaker = health.breaker
  const opened: boolean = breaker.state === 'open'
  const servers: { host: string; role: 'primary' | 'replica' | 'unknown'; replicas: number | null }[] = health.servers
  const server: HealthServer | undefined = health.servers[0]
  const pool: HealthPool = health.sessionCache.pool
  const usage: number | null = health.redis.memoryUsage
  const firstWord = health.alerts[0]?.split(':')[0] as HealthAlertCode
  void [other, hitRate, state, ms, slower, alerts, problem, code, opened, servers, server, pool, usage, firstWord]
}

export async function healthRoutes(): Promise<void> {
  const GET: HealthHandler = healthHandler()
  const quiet = healthHandler({ service: new RedisService(), detail: false, maxAgeMs: 0, timeoutMs: 500, slowMs: 20 })
  const outcome: Response = await GET(new Request('http://localhost/health'))
  const fetchStyle: (request: Request) => Promise<Response> = quiet
  const withoutRequest: Response = await quiet()
  const server = createServer((request, response) => void quiet.node(request, response))
  const listener: RequestListener = GET.node
  // As Hono, Deno and Bun call their handlers, and as Next.js checks the export of a route.
  const hono: (context: { req: { method: string; raw: Request } }, next: () => Promise<void>) => Promise<Response> = GET
  const route: (request: Request, context: { params: Promise<object> }) => Response | Promise<Response> = GET
  const asked: FirstArgument<typeof GET> extends Request | undefined ? true : false = true
  void [outcome, fetchStyle, withoutRequest, server, listener, hono, route, asked]
}

type FirstArgument<T> = T extends (...args: [infer First, never]) => unknown ? First : never

export function errors(error: unknown): ErrorCode | undefined {
  if (!(error instanceof CinnabarError)) return undefined
  const retryable: boolean = error.retryable
  const cause: unknown = error.cause
  const done: number | readonly string[] | undefined = error.done
  void [retryable, cause, done, new CinnabarError('held', { code: 'E_LOCK_HELD', retryable: true })]
  return error.code
}

export async function opensWithin(service: RedisService, signal: AbortSignal): Promise<void> {
  await (await service.subscribe('channel', () => {}, { signal, timeoutMs: 100 })).close()
  await (await service.subscribe('channel', { signal, timeoutMs: 100, buffers: true })).close()
  await (await service.rooms.listen('room', () => {}, { signal, timeoutMs: 100 })).close()
  await (await service.rooms.listen('room', { signal, since: 0 })).close()
  await (await service.rooms.watch('room', () => {}, { signal, timeoutMs: 100 })).close()
  await (await service.rooms.watch('room', { signal, timeoutMs: 100 })).close()
}
