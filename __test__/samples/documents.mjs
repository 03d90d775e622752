// The calls of the service documents, as they stand there, each with what it must return. `api` holds the exported
// names: the static forms, or objects made for one service, which must not differ.
import assert from 'node:assert/strict'

export async function runDocuments({
  redisService,
  SessionManager,
  ApiCache,
  RateLimiter,
  DistributedLock,
  RealtimeDataManager,
  publish,
  subscribe,
  healthCheck,
}) {
  // redisService
  await redisService.connect()
  assert.equal(redisService.isConnected, true)
  assert.equal(await redisService.set('key', 'value'), 'OK')
  assert.equal(await redisService.set('key', 'value', { EX: 3600 }), 'OK')
  assert.equal(await redisService.set('key', 'other', { NX: true }), null)
  assert.equal(await redisService.get('key'), 'value')
  assert.equal(await redisService.exists('key'), 1)
  assert.equal(await redisService.expire('key', 60), true)
  assert.equal(await redisService.del('key'), 1)
  assert.equal(await redisService.get('key'), null)
  assert.equal(await redisService.hSet('user:1', 'name', 'John'), 1)
  assert.equal(await redisService.hGet('user:1', 'name'), 'John')
  assert.deepEqual({ ...(await redisService.hGetAll('user:1')) }, { name: 'John' })
  assert.equal(await redisService.hDel('user:1', 'name'), 1)

  const ping = await redisService.healthCheck()
  assert.equal(ping.status, 'connected')
  assert.match(ping.latency, /^\d+ms$/)

  const client = redisService.getClient()
  assert.ok(client && client.isReady)
  await client.zAdd('leaderboard', [
    { score: 100, value: 'player1' },
    { score: 200, value: 'player2' },
  ])
  assert.deepEqual(await client.zRange('leaderboard', 0, -1, { REV: true }), ['player2', 'player1'])
  assert.equal(await client.eval("return redis.call('GET', KEYS[1])", 1, 'nothing'), null)
  const multi = client.multi()
  multi.set('key1', 'value1')
  multi.get('key1')
  multi.incr('counter')
  const results = await multi.exec()
  assert.equal(results[0][1], 'OK')
  assert.equal(results[1][1], 'value1')
  assert.equal(results[2][1], 1)

  // SessionManager
  const sessionId = await SessionManager.createSession('user123', { role: 'admin', permissions: ['read', 'write'] })
  const session = await SessionManager.getSession(sessionId)
  assert.equal(session.userId, 'user123')
  assert.equal(session.role, 'admin')
  assert.deepEqual(session.permissions, ['read', 'write'])
  assert.ok(session.createdAt)
  assert.equal(JSON.parse(await redisService.get(`session:${sessionId}`)).userId, 'user123')
  assert.equal(await SessionManager.updateSession(sessionId, { lastActivity: new Date().toISOString() }), true)
  assert.equal(await SessionManager.extendSession(sessionId, 7200), true)
  assert.equal(await SessionManager.extendSession(sessionId), true)
  assert.equal(await SessionManager.touch(sessionId), true)
  assert.equal(await SessionManager.destroySession(sessionId), 1)
  assert.equal(await SessionManager.getSession(sessionId), null)
  await SessionManager.storeSession('user123', { token: 'abc' }, 3600)
  assert.deepEqual(await SessionManager.getSession('user123'), { token: 'abc' })
  assert.equal(await SessionManager.deleteSession('user123'), 1)
  const created = await SessionManager.create('user123', { a: 1 })
  assert.equal((await SessionManager.get(created)).a, 1)
  assert.equal(await SessionManager.update(created, { a: 2 }), true)
  assert.equal(await SessionManager.destroy(created), 1)
  let loads = 0
  const load = async (tokenHash) => (loads++, { id: 'user123', tokenHash })
  const user = await SessionManager.validateSession('token', { load, ttl: 300 })
  assert.deepEqual(await SessionManager.validateSession('token', { load, ttl: 300 }), user)
  assert.equal(loads, 1)
  assert.ok(await redisService.exists(`session:${user.tokenHash}`))
  await SessionManager.invalidateUser('user123')

  // ApiCache
  assert.equal(await ApiCache.getCachedResponse('users:list'), null)
  await ApiCache.setCachedResponse('users:list', [{ id: 1 }], 300)
  assert.deepEqual(await ApiCache.getCachedResponse('users:list'), [{ id: 1 }])
  assert.equal(await redisService.get('api:users:list'), '[{"id":1}]')
  assert.equal(await ApiCache.invalidateCache('users:list'), 1)
  await ApiCache.set('user:1', { name: 'John' }, { ttl: 60, tags: ['users'] })
  assert.deepEqual(await ApiCache.get('user:1'), { name: 'John' })
  await ApiCache.invalidateByTag('users')
  assert.equal(await ApiCache.get('user:1'), null)
  await ApiCache.set('user:2', 2)
  await ApiCache.invalidateByPattern('user:*')
  assert.equal(await ApiCache.get('user:2'), null)
  await ApiCache.setMany([
    { key: 'a', value: 1 },
    { key: 'b', value: 2 },
  ])
  assert.deepEqual(await ApiCache.getMany(['a', 'b', 'c']), [1, 2, null])
  assert.deepEqual(await ApiCache.getOrSet('c', async () => 3, { ttl: 60 }), 3)
  assert.deepEqual(await ApiCache.get('c'), 3)
  const key = ApiCache.keyFor('/api/users', { page: 1 })
  await ApiCache.set(key, ['page'])
  assert.match(key, /^cache:\/api\/users:/)
  assert.equal(await redisService.exists(`api:${key}`), 1)
  await ApiCache.setImageInfo('logo.png', new Uint8Array([0x89, 0x50, 0x4e, 0x47]))
  const image = await ApiCache.getImageInfo('logo.png')
  assert.deepEqual(Object.keys(image).sort(), ['hash', 'size', 'timestamp', 'type'])
  await ApiCache.invalidateImage('logo.png')
  assert.equal(await ApiCache.getImageInfo('logo.png'), null)

  // RateLimiter
  const { allowed, remaining, resetTime } = await RateLimiter.checkRateLimit('user123', 100, 3600)
  assert.deepEqual([allowed, remaining], [true, 99])
  assert.ok(resetTime === undefined || resetTime > Date.now())
  assert.equal(await redisService.get('rate_limit:user123'), '1')
  assert.equal(await RateLimiter.resetRateLimit('user123'), 1)
  assert.equal(await RateLimiter.checkLimit('ratelimit:1.2.3.4:/login', 1, 60), true)
  assert.equal(await RateLimiter.checkLimit('ratelimit:1.2.3.4:/login', 1, 60), false)
  await RateLimiter.checkRateLimit('strict', 1, 60)
  const refused = await RateLimiter.checkRateLimit('strict', 1, 60)
  assert.equal(refused.allowed, false)
  assert.ok(refused.resetTime > Date.now())
  assert.equal(RateLimiter.headers(refused, 1)['X-RateLimit-Remaining'], '0')

  // DistributedLock
  const token = await DistributedLock.acquireLock('resource', 30)
  assert.equal(await redisService.get('lock:resource'), token)
  assert.equal(await DistributedLock.acquireLock('resource'), null)
  await assert.rejects(
    DistributedLock.withLock('resource', async () => assert.fail('ran')),
    { message: 'Could not acquire lock for resource: resource', code: 'E_LOCK_HELD' },
  )
  assert.equal(await DistributedLock.releaseLock('resource', token), true)
  assert.equal(await DistributedLock.withLock('resource', async () => 'result', 30), 'result')
  assert.equal(await redisService.exists('lock:resource'), 0)

  // RealtimeDataManager
  await RealtimeDataManager.addUserToRoom('room1', 'user123', { name: 'John' })
  const users = await RealtimeDataManager.getRoomUsers('room1')
  assert.equal(users.user123.name, 'John')
  assert.ok(users.user123.joinedAt)
  assert.equal(await redisService.exists('room:room1:users'), 1)
  await RealtimeDataManager.storeMessage('room1', { userId: 'user123', text: 'Hello' })
  const [message] = await RealtimeDataManager.getRecentMessages('room1', 10)
  assert.equal(message.text, 'Hello')
  assert.ok(message.timestamp)
  assert.equal(await redisService.exists('room:room1:messages'), 1)
  await RealtimeDataManager.removeUserFromRoom('room1', 'user123')
  assert.deepEqual({ ...(await RealtimeDataManager.getRoomUsers('room1')) }, {})

  // Messages
  const heard = new Promise((resolve) => {
    subscribe('prism:events', (value, channel) => resolve([value, channel])).then((subscription) => {
      publish('prism:events', { type: 'test' })
      return heard.then(() => subscription.close())
    })
  })
  assert.deepEqual(await heard, [{ type: 'test' }, 'prism:events'])
  await redisService.set('websocket:connection1', JSON.stringify({ userId: 'user123' }), { EX: 3600 })

  // healthCheck
  const health = await healthCheck(redisService, { slowMs: 60_000 })
  assert.equal(health.status, 'healthy')
  assert.equal(health.redis.connected, true)
  assert.equal(typeof health.redis.version, 'string')
  assert.equal(typeof health.performance.ping, 'number')
  assert.equal(typeof health.sessionCache.metrics.hitRate, 'number')
  assert.equal(typeof health.sessionCache.pool.size, 'number')

  await redisService.disconnect()
  await redisService.disconnect()
  assert.equal(redisService.isConnected, false)
  assert.equal(redisService.getClient().isReady, false)
}
