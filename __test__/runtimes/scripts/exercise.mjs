// Uses every feature once on the engine that REDIS_URL names, and prints what came back as JSON, the same in every runtime
// and on every engine. What differs from run to run, such as an identifier, is printed as whether it is as it should be.

import { AsyncLocalStorage } from 'node:async_hooks'

import {
  ApiCache,
  CinnabarError,
  DistributedLock,
  JobQueue,
  RateLimiter,
  RealtimeDataManager,
  RedisService,
  SessionManager,
  healthCheck,
  healthHandler,
  publish,
  redisService,
  subscribe,
} from 'cinnabar'

const seen = {}

seen.idle = redisService.isConnected

seen.strings = [
  await redisService.set('greeting', 'hé\u{1f600}', { EX: 60 }),
  await redisService.set('greeting', 'again', { NX: true }),
  await redisService.get('greeting'),
  await redisService.get('nothing'),
  await redisService.exists('greeting', 'nothing'),
  await redisService.expire('greeting', 30),
  await redisService.del('greeting', 'nothing'),
]
seen.hashes = [
  await redisService.hSet('hash', 'field', 'value'),
  await redisService.hGet('hash', 'field'),
  await redisService.hGetAll('hash'),
  await redisService.hDel('hash', 'field'),
]

const client = redisService.getClient()
seen.client = [
  client.isReady,
  await client.rPush('list', ['a', 'b', 'c']),
  await client.lRange('list', 0, -1),
  await client.sAdd('set', 'a', 'b'),
  (await client.sMembers('set')).sort(),
  await client.zAdd('ranks', [
    { score: 2, value: 'two' },
    { score: 1.5, value: 'less' },
  ]),
  await client.zRange('ranks', 0, -1),
  await client.zScore('ranks', 'less'),
  await client.eval("return {KEYS[1], ARGV[1], redis.call('LLEN', KEYS[1])}", 1, 'list', 'x'),
  await client.sendCommand(['LLEN', 'list']),
]
seen.multi = await client.multi().incr('count').incrBy('count', 4).get('count').exec()
// More than a batch merges, all in one tick.
const many = Array.from({ length: 600 }, (_, i) => `many:${i}`)
await Promise.all(many.map((key) => redisService.set(key, key)))
seen.many = (await Promise.all(many.map((key) => redisService.get(key)))).every((value, i) => value === many[i])

const id = await SessionManager.createSession('user123', { role: 'admin', list: [] }, { tags: ['org:1'] })
const session = await SessionManager.getSession(id)
seen.sessions = [
  /^[\w-]{32,}$/.test(id),
  { ...session, createdAt: new Date(session.createdAt).toISOString() === session.createdAt },
  await SessionManager.updateSession(id, { role: 'reader', exact: 2 ** 53 - 1 }),
  (await SessionManager.getSession(id)).exact === 2 ** 53 - 1,
  (await SessionManager.listSessions('user123')).length,
  await SessionManager.touch(id),
  await SessionManager.extendSession(id, 60),
  await SessionManager.destroyByTag('org:1'),
  await SessionManager.getSession(id),
]
let asked = 0
const load = async (hash) => ({ id: 'user123', asked: ++asked, hash: hash.length })
seen.validated = [
  await SessionManager.validateSession('a-token', { load }),
  await SessionManager.validateSession('a-token', { load }),
  await SessionManager.validateSession({ headers: { authorization: 'Bearer a-token' } }, { load }),
  await SessionManager.validateSession(new Request('http://localhost/', { headers: { cookie: 'session=a-token' } }), {
    load,
  }),
  await SessionManager.validateSession(new Headers({ authorization: 'Bearer a-token' }), { load }),
]

await ApiCache.set('profile', { name: 'Ada', tags: ['x', null] }, { ttl: 60, tags: ['user:1'] })
let loads = 0
const profile = () => ApiCache.getOrSet('counted', async () => ({ loads: ++loads }), { ttl: 60 })
seen.cache = [
  await ApiCache.get('profile'),
  await ApiCache.get('unknown'),
  await Promise.all([profile(), profile(), profile()]),
  await ApiCache.invalidateByTag('user:1').then(() => ApiCache.get('profile')),
  ApiCache.keyFor('/users', { b: 2, a: 1 }) === ApiCache.keyFor('/users', { a: 1, b: 2 }),
  await ApiCache.setMany([
    { key: 'user:1', value: 1 },
    { key: 'user:2', value: 2, ttl: 60 },
  ]),
  await ApiCache.getMany(['user:1', 'user:2', 'user:3']),
  await ApiCache.invalidateByPattern('user:*'),
]

const limited = []
for (let i = 0; i < 4; i++) {
  const { allowed, remaining, resetTime } = await RateLimiter.checkRateLimit('203.0.113.7', 3, 60)
  limited.push([
    allowed,
    remaining,
    resetTime === undefined || (resetTime > Date.now() && resetTime < Date.now() + 61_000),
  ])
}
seen.limits = [limited, await RateLimiter.resetRateLimit('203.0.113.7'), await RateLimiter.checkLimit('by:key', 1, 60)]

const token = await DistributedLock.acquireLock('invoice:7', 30)
seen.locks = [
  typeof token,
  await DistributedLock.acquireLock('invoice:7'),
  await DistributedLock.extendLock('invoice:7', token, 60),
  await DistributedLock.releaseLock('invoice:7', 'another token'),
  await DistributedLock.withLock('invoice:7', () => 'never').catch((error) => error.message),
  await DistributedLock.releaseLock('invoice:7', token),
  await DistributedLock.withLock('invoice:7', async () => 'done'),
]

await RealtimeDataManager.addUserToRoom('lobby', 'ada', { colour: 'red' })
await RealtimeDataManager.storeMessage('lobby', { text: 'hello' })
const { ada } = await RealtimeDataManager.getRoomUsers('lobby')
const [message] = await RealtimeDataManager.getRecentMessages('lobby')
await RealtimeDataManager.removeUserFromRoom('lobby', 'ada')
seen.rooms = [
  ada.colour,
  typeof ada.joinedAt,
  message.text,
  typeof message.timestamp,
  await RealtimeDataManager.getRoomUsers('lobby'),
]

const comings = []
const watching = await RealtimeDataManager.watch('chat', ({ type, userId }) => comings.push(`${type} ${userId}`))
const heard = []
const first = await RealtimeDataManager.send('chat', { text: 'before' })
const listening = await RealtimeDataManager.listen('chat', ({ text }, seq) => heard.push([text, seq - first]), {
  since: 0,
})
const member = await RealtimeDataManager.join('chat', 'ada', { colour: 'red' })
const again = await RealtimeDataManager.join('chat', 'ada')
await RealtimeDataManager.send('chat', { text: 'after' })
await member.leave()
const present = Object.keys(await RealtimeDataManager.getRoomUsers('chat'))
await again.leave()
while (heard.length < 2 || comings.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
seen.presence = [heard, comings, present, await RealtimeDataManager.getRoomUsers('chat')]
for (const one of [listening, watching]) await one.close()

const queue = new JobQueue('mails')
const worker = queue.process(async (job, { signal, progress }) => {
  progress(0.5)
  await null
  return { to: job.data.to, attempt: job.attempt, aborted: signal.aborted }
})
const job = await queue.add('welcome', { to: 'ada' }, { id: 'first', keep: true })
// It has a listener, or the console would show it.
queue.on('dead', () => {})
const failing = await queue.add('fails', null, { attempts: 1 })
seen.queue = [
  job.isNew,
  await job.finished({ timeoutMs: 10_000 }),
  await failing.finished({ timeoutMs: 10_000 }).catch((error) => error.code),
  (await queue.get('first')).state,
  (await queue.get('first')).progress,
  await worker.close(),
]
await queue.close()

let arrived
const arrival = new Promise((resolve) => (arrived = (...message) => resolve(message)))
const subscription = await subscribe('prism:events', arrived)
const receivers = await publish('prism:events', { type: 'greeting', n: [1, 2] })
seen.messages = [receivers, ...(await arrival)]
await subscription.close()

const stream = await subscribe('stream')
await publish('stream', 'one')
await publish('stream', 'two')
seen.streamed = []
for await (const { value, missed } of stream) {
  seen.streamed.push([value, missed])
  if (value === 'two') break
}

// A list is no hash.
const failure = await redisService.hGet('list', 'field').catch((error) => error)
seen.failure = [failure instanceof CinnabarError, failure.name, failure.code, failure.retryable, typeof failure.stack]

const context = new AsyncLocalStorage()
seen.context = await context.run('kept', async () => {
  await redisService.get('count')
  return context.getStore()
})

const service = new RedisService({ url: process.env.REDIS_URL, poolSize: 2 })
seen.instance = [await new ApiCache(service, { prefix: 'mine:' }).set('a', 1), await service.get('mine:a')]
await service.disconnect()
seen.closed = await service.get('a').catch((error) => error.code)

const health = await healthCheck()
seen.health = [health.status, health.redis.connected, typeof health.performance.ping]
const result = await healthHandler({ detail: false })(new Request('http://localhost/health'))
seen.route = [result.status, result.headers.get('cache-control'), await result.text()]

console.log(JSON.stringify(seen))
// No disconnect: a process with nothing left to do ends by itself.
