// Lines that must not compile, each marked by `@ts-expect-error`, which is an error if the line compiles.
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
  redisService,
  subscribe,
} from 'cinnabar'
import type { ErrorCode, Multi } from 'cinnabar'
import { advanceTime } from 'cinnabar/testing'

export async function misuse(): Promise<void> {
  // @ts-expect-error a date is a string after a round trip through JSON
  ;(await ApiCache.getOrSet('key', () => ({ at: new Date() }))).at.getTime()
  // @ts-expect-error a number is no time for a load of the options of a call
  await ApiCache.getOrSet('key', () => 1, { loadTimeoutMs: 5 })
  // @ts-expect-error seconds
  await ApiCache.getOrSet('key', (key, load) => load.setTtl('5'))
  // @ts-expect-error a list of tags
  await ApiCache.getOrSet('key', (key, load) => load.addTags('tag'))
  // @ts-expect-error unknown until its type is given
  await ApiCache.getOrSet('key', async (key, load) => (await load.stale()).etag)
  // @ts-expect-error A frozen value cannot be changed.
  ;(await ApiCache.getOrSet('key', () => ({ list: [1] }), { frozen: true })).list.push(2)
  // @ts-expect-error
  ApiCache.peek<{ name: string }>('key')!.name = 'other'
  // @ts-expect-error
  new ApiCache(redisService, { near: { mode: 'fast' } })
  // @ts-expect-error an unknown option
  new RedisService({ ur: 'redis://localhost' })
  // @ts-expect-error a port is a number
  new RedisService({ port: '6379' })
  // @ts-expect-error credentials are a function
  new RedisService({ credentials: { password: 'given at run time' } })
  // @ts-expect-error a password is needed
  new RedisService({ credentials: () => ({ username: 'app' }) })
  // @ts-expect-error an unknown option of tls
  new RedisService({ tls: { CA: 'PEM' } })
  // @ts-expect-error the default breaker has no option
  new RedisService({ breaker: true })
  // @ts-expect-error an event has no code
  new RedisService({ log: (event) => event.code })
  // @ts-expect-error one of two words
  new RedisService({ onUnavailable: 'ignore' })
  // @ts-expect-error false or a function
  new RedisService({ log: true })
  // @ts-expect-error the option is timeoutMs
  redisService.with({ timeout: 200 })
  // @ts-expect-error a controller is no signal
  SessionManager.with({ signal: new AbortController() })
  // @ts-expect-error the service comes first
  new SessionManager({ prefix: 'session:' })
  // @ts-expect-error it is read-only
  redisService.isConnected = true
  // @ts-expect-error an object is no string
  await redisService.set('key', { an: 'object' })
  // @ts-expect-error the option is EX
  await redisService.set('key', 'value', { ex: 60 })
  // @ts-expect-error one ttl
  await redisService.set('key', 'value', { EX: 1, PX: 1 })
  // @ts-expect-error one ttl
  await redisService.set('key', 'value', { EX: 1, expiration: 'KEEPTTL' })
  // @ts-expect-error one condition
  await redisService.set('key', 'value', { NX: true, XX: true })
  // @ts-expect-error one condition
  await redisService.set('key', 'value', { NX: true, condition: 'XX' })
  // @ts-expect-error one ttl
  await redisService.getClient().set('key', 'value', { KEEPTTL: true, EX: 1 })
  // @ts-expect-error it may be null
  ;(await redisService.get('key')).length
  // @ts-expect-error it may be null
  ;(await redisService.getClient().get('key')).length
  // @ts-expect-error a member is { score, value }
  await redisService.getClient()?.zAdd('z', ['a'])
  // @ts-expect-error no such command
  await redisService.getClient()?.hsett('h', 'f', 'v')
  // @ts-expect-error a multi collects; it is no promise of a value
  const collected: Promise<string> = redisService.getClient()!.multi().get('k')
  // @ts-expect-error a transaction is no client
  redisService.getClient().multi().scanIterator()
  const results = await redisService.getClient().multi().get('k').incr('n').exec()
  // @ts-expect-error a value has a type
  results[0][1].whatever
  // @ts-expect-error a command that failed has no value
  results[1][1].toFixed()
  // @ts-expect-error there are two results
  results[2]
  // @ts-expect-error its type is unknown
  ;(await (redisService.getClient().multi() as Multi).exec())[0][1].whatever
  // @ts-expect-error the option is buffers
  await redisService.getClient().sendCommand(['GET', 'k'], { buffer: true })
  // @ts-expect-error a user id is a string or a number
  await SessionManager.createSession({ id: 42 })
  // @ts-expect-error data is an object
  await SessionManager.createSession('user123', 'admin')
  // @ts-expect-error the option is ttl
  await SessionManager.createSession('user123', {}, { ttll: 60 })
  // @ts-expect-error it may not exist
  ;(await SessionManager.getSession('id')).role
  // @ts-expect-error its type is unknown
  ;(await SessionManager.getSession('id'))?.role.length
  // @ts-expect-error the manager decides the type of its sessions, not a reader
  await SessionManager.getSession<{ role: string }>('id')
  const typed = new SessionManager<{ role: string }>()
  // @ts-expect-error a field that is misspelt
  await typed.createSession('ada', { rol: 'admin' })
  // @ts-expect-error a field that is missing
  await typed.createSession('ada')
  // @ts-expect-error no such field
  ;(await typed.getSession('id'))?.rule
  // @ts-expect-error a list has no fields
  await SessionManager.updateSession('id', [])
  // @ts-expect-error nor has a time
  await SessionManager.createSession('ada', new Date())
  // @ts-expect-error load is needed
  await SessionManager.validateSession('token', {})
  // @ts-expect-error an id, not a boolean
  await SessionManager.validateSession('token', { load: () => ({ uuid: 'a' }), userId: () => true })
  // @ts-expect-error an id alone is no request
  await SessionManager.getSession('id', { cookie: 'sid' })
  // @ts-expect-error a number is no request
  await SessionManager.validateSession(42, { load: () => null })
  // @ts-expect-error one of two words
  new ApiCache(redisService, { onUnavailable: 'empty' })
  // @ts-expect-error one of four words
  new RateLimiter(redisService, { onUnavailable: 'miss' })
  // @ts-expect-error one of two words
  new SessionManager(redisService, { near: { mode: 'fast' } })
  // @ts-expect-error sessions have no such choice
  new SessionManager(redisService, { onUnavailable: 'throw' })
  // @ts-expect-error a key has an id, by which it is found
  new SessionManager(redisService, { encryption: { keys: ['base64'] } })
  // @ts-expect-error without a key, nothing can be encrypted
  new SessionManager(redisService, { encryption: { acceptPlain: true } })
  // @ts-expect-error JSON has no undefined
  await ApiCache.set('key', undefined)
  // @ts-expect-error what may be undefined is
  await ApiCache.set('key', new Map<string, number>().get('a'))
  // @ts-expect-error JSON keeps nothing of a Map
  await ApiCache.set('key', new Map())
  // @ts-expect-error nor writes a bigint
  await ApiCache.set('key', 1n)
  // @ts-expect-error nor a function
  await ApiCache.setCachedResponse('key', () => 1)
  // @ts-expect-error nor bytes
  await ApiCache.set('key', Buffer.from('a'))
  // @ts-expect-error nor a Set
  await ApiCache.setMany([{ key: 'a', value: 1 }, { key: 'b', value: new Set() }]) // prettier-ignore
  // @ts-expect-error nor a symbol
  await redisService.publish('channel', Symbol('a'))
  // @ts-expect-error a date is a string after a round trip through JSON
  ;(await new SessionManager<{ at: Date }>().getSession('id'))?.at.getTime()
  // @ts-expect-error also that of a user
  ;(await SessionManager.validateSession('token', { load: () => ({ id: 1, at: new Date() }) }))?.at.getTime()
  // @ts-expect-error and of a job
  new JobQueue<{ at: Date }>('dates').process((job) => job.data.at.getTime())
  // @ts-expect-error and of its result
  ;(await (await new JobQueue<unknown, Date>('dates').add('job')).finished()).getTime()
  // @ts-expect-error and of a message
  await RealtimeDataManager.listen<{ at: Date }>('room', ({ at }) => at.getTime())
  // @ts-expect-error tags are many
  await ApiCache.set('key', 1, { tags: 'users' })
  // @ts-expect-error load is a function
  await ApiCache.getOrSet('key', 'value')
  // @ts-expect-error what is loaded has no such field
  ;(await ApiCache.getOrSet('key', () => ({ name: 'a' }))).rule
  // @ts-expect-error no such preset
  await RateLimiter.check('id', 'NONE')
  // @ts-expect-error presets do not change
  RateLimiter.presets.AUTH.limit = 6
  // @ts-expect-error the token may be null
  await DistributedLock.releaseLock('resource', await DistributedLock.acquireLock('resource'))
  // @ts-expect-error an operation is needed
  await DistributedLock.withLock('resource')
  // @ts-expect-error an iterator throws it
  await subscribe('channel', { onError: () => {} })
  // @ts-expect-error one of two words
  await subscribe('channel', () => {}, { overflow: 'drop-newest' })
  // @ts-expect-error bytes are a number
  await subscribe('channel', { buffer: { bytes: '16 MB' } })
  // @ts-expect-error the option is sharded
  await publish('channel', 1, { shard: true })
  // @ts-expect-error it is no iterable with a handler
  for await (const message of await subscribe('channel', () => {})) void message
  // @ts-expect-error the option is pattern
  await subscribe('channel', () => {}, { patern: true })
  // @ts-expect-error a message is an object
  await RealtimeDataManager.send('room', 'hello')
  // @ts-expect-error a number, not a time
  await RealtimeDataManager.listen('room', { since: new Date() })
  // @ts-expect-error the map is read only
  ;(await RealtimeDataManager.watch('room')).users.clear()
  // @ts-expect-error no such code
  const code: ErrorCode = 'E_NONE'
  // @ts-expect-error codes do not change
  new CinnabarError('text').code = 'E_TIMEOUT'
  // @ts-expect-error options come after the service
  await healthCheck({ timeoutMs: 500 })
  // @ts-expect-error the option is timeoutMs
  await healthCheck(redisService, { timeout: 500 })
  // @ts-expect-error one of three words
  ;(await healthCheck()).status === 'ok'
  // @ts-expect-error there may have been no error
  ;(await healthCheck()).lastError.code
  // @ts-expect-error the service is an option here
  healthHandler(redisService)
  // @ts-expect-error true or false
  healthHandler({ detail: 'none' })
  // @ts-expect-error not a probe
  healthHandler({ probe: 'startup' })
  // @ts-expect-error the service comes first
  await advanceTime(1000)
  const queue = new JobQueue<{ to: string }, number>('mails')
  // @ts-expect-error data has such a field
  await queue.add('welcome', { from: 'ada' })
  // @ts-expect-error its data may not be left out
  await queue.add('welcome')
  // @ts-expect-error nor here
  await queue.addMany([{ name: 'welcome' }])
  // @ts-expect-error what has been given no type is unknown
  new JobQueue('untyped').process((job) => job.data.anything)
  // @ts-expect-error a room's user is unknown until its type is given
  ;(await RealtimeDataManager.getRoomUsers('r')).ann.name.length
  // @ts-expect-error JSON keeps nothing of a Map
  await RealtimeDataManager.send('r', new Map([[1, 2]]))
  // @ts-expect-error nor of a function
  await RealtimeDataManager.storeMessage('r', () => 1)
  // @ts-expect-error fields, not a list
  await RealtimeDataManager.addUserToRoom('r', 'u', ['ann'])
  // @ts-expect-error fields, not a time
  await RealtimeDataManager.join('r', 'u', new Date())
  // @ts-expect-error the option is delay
  await queue.add('welcome', { to: 'ada' }, { delayMs: 5 })
  // @ts-expect-error one of two words
  await queue.add('welcome', { to: 'ada' }, { backoff: { type: 'linear' } })
  // @ts-expect-error jobs are many
  await queue.addMany({ name: 'welcome' })
  // @ts-expect-error a job has a name
  await queue.addMany([{ data: { to: 'ada' } }])
  // @ts-expect-error a handler returns a result
  queue.process(() => 'text')
  // @ts-expect-error data has no such field
  queue.process((job) => job.data.from.length)
  // @ts-expect-error the option is perMs
  queue.process(() => 1, { limits: { rate: { max: 1, per: 5 } } })
  // @ts-expect-error it may not exist
  ;(await queue.get('id')).state
  // @ts-expect-error active jobs are not cleaned
  await queue.clean('active')
  // @ts-expect-error no such state
  await queue.list('waiting')
  // @ts-expect-error no such event
  queue.on('done', () => {})
  // @ts-expect-error an event has no such field
  queue.on('completed', ({ progress }) => progress)
  // @ts-expect-error it has its service
  redisService.queue('mails', { service: redisService })
  // @ts-expect-error an id and a deduplication are of one job
  new JobQueue('mails', { defaults: { id: 'x' } })
  void [collected, code]
}
