/** A mix of all public calls over a bounded set of keys, refused input included. Call n is always the same call. */
import { makeValue } from './values.mjs'

const KEYS = 500

export async function makeMix(cinnabar, service) {
  const cache = new cinnabar.ApiCache(service)
  const sessions = new cinnabar.SessionManager(service)
  const limiter = new cinnabar.RateLimiter(service)
  const locks = new cinnabar.DistributedLock(service)
  const rooms = new cinnabar.RealtimeDataManager(service)
  const values = [400, 4096, 400, 32_768].map((size, n) => makeValue(n, size))
  const queue = new cinnabar.JobQueue('soak', { service })
  queue.process(async (job) => job.data, { concurrency: 20 })
  const heard = await listen(service)

  const calls = [
    (n) => cache.get(`k:${n % KEYS}`),
    (n) => cache.get(`missing:${n % KEYS}`),
    (n) => cache.set(`k:${n % KEYS}`, values[n % values.length], { ttl: 60 }),
    (n) => cache.set(`tagged:${n % KEYS}`, values[0], { ttl: 60, tags: [`t:${n % 20}`] }),
    (n) => cache.get(`tagged:${n % KEYS}`),
    (n) => cache.getMany([`k:${n % KEYS}`, `k:${(n + 1) % KEYS}`, 'missing']),
    (n) => cache.getOrSet(`load:${n % KEYS}`, async () => values[0], { ttl: 1 }),
    (n) => (n % 50 === 7 ? cache.invalidateByTag(`t:${n % 20}`) : cache.invalidate(`k:${n % KEYS}`)),
    (n) => limiter.checkRateLimit(`user:${n % KEYS}`, 50, 1),
    (n) => oneSession(sessions, n),
    (n) => locked(locks, `r:${n % KEYS}`),
    (n) => rooms.addUserToRoom(`room:${n % 20}`, `user:${n % 100}`, { name: 'Ada' }),
    (n) => rooms.storeMessage(`room:${n % 20}`, { text: 'hello' }),
    (n) => rooms.getRecentMessages(`room:${n % 20}`),
    (n) => visited(rooms, n),
    async (n) => (await queue.add('work', values[0])).finished(),
    (n) => queue.addMany([{ name: 'batch', data: n, keep: false }]),
    (n) => service.get(`api:k:${n % KEYS}`),
    (n) => service.hSet('hash', `f:${n % 50}`, 'value'),
    () => service.hGetAll('hash'),
    () => service.publish('soak', { hello: 'world' }),
    () => refused(cache.get(7)),
    () => refused(cache.set('bad', 10n)),
  ]
  return (n) => {
    if (n > 100_000 && heard() === 0) throw new Error('no published message was heard')
    return calls[n % calls.length](Math.floor(n / calls.length))
  }
}

async function listen(service) {
  let messages = 0
  await service.subscribe('soak', () => (messages += 1))
  return () => messages
}

async function oneSession(sessions, n) {
  const id = await sessions.createSession(`user:${n % KEYS}`, { role: 'admin' })
  await sessions.updateSession(id, { page: n })
  await sessions.destroySession(id)
}

async function locked(locks, resource) {
  const token = await locks.acquireLock(resource, 5)
  if (token !== null) await locks.releaseLock(resource, token)
}

/** A user joins a room, listens, sends a message and leaves. */
async function visited(rooms, n) {
  const room = `visited:${n % 20}`
  const member = await rooms.join(room, `user:${n % 100}`, { name: 'Ada' })
  const listening = await rooms.listen(room, () => {}, { since: 0, onGap: () => {} })
  await rooms.send(room, { text: 'hello' })
  await listening.close()
  await member.leave()
}

async function refused(promise) {
  const result = await promise.then(
    () => 'accepted',
    (error) => error.code,
  )
  if (!String(result).startsWith('E_')) throw new Error(`bad input was ${result}`)
}
