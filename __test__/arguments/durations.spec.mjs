// Every time that callers give: what is within its bounds is taken, also beyond what timers of JavaScript can hold, and what is not
// is refused with the bounds that hold.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import {
  ApiCache,
  RateLimiter,
  RealtimeDataManager,
  RedisService,
  SessionManager,
  healthCheck,
  healthHandler,
  shutdownOnSignal,
} from 'cinnabar'

import { assertTyped } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { optionTable } from '../support/option-table.mjs'
import { declarations } from '../support/types.mjs'

const VALUES = [0, -1, NaN, Infinity, 0.5, 2 ** 31 - 1, 2 ** 31, Number.MAX_SAFE_INTEGER, '5']
const DECADE_MS = 315_619_200_000
const YEAR_MS = 31_622_400_000
const YEARS = 3_155_760_000
const CENTURY_MS = YEARS * 1000
const DAY_MS = 86_400_000
const LAST = 253_370_764_799_999

let made = 0
/** A name that nothing else has. */
const fresh = () => `fresh-${++made}`
const never = { delay: 1_000_000 }
const serve = (options) => new RedisService({ url: 'redis://127.0.0.1:1', ...options })

const ms = (least, most, use) => ({ least, most, use })
const whole = (least, most, use) => ({ least, most, use, isWhole: true })
const seconds = (use) => ({ least: Number.MIN_VALUE, most: YEARS, says: [`above 0 and up to ${YEARS}`], use })

// For ever, too.
const lasting = (use) => ({ ...seconds(use), isLasting: true })

const limiterOf = (service) => new RateLimiter(service, { policies: { p: { limit: 1, per: 60 } } })

/** By the name in messages: its bounds, and a call that takes it. */
const TIMES = (s) => ({
  'service timeoutMs': ms(1, CENTURY_MS, (v) => serve({ timeoutMs: v })),
  connectTimeoutMs: ms(1, CENTURY_MS, (v) => serve({ connectTimeoutMs: v })),
  connectWaitMs: ms(1, CENTURY_MS, (v) => serve({ connectWaitMs: v, timeoutMs: CENTURY_MS })),
  keepAliveMs: ms(1, CENTURY_MS, (v) => serve({ keepAliveMs: v })),
  'reconnect.firstMs': ms(1, CENTURY_MS, (v) => serve({ reconnect: { firstMs: v, longestMs: CENTURY_MS } })),
  'reconnect.longestMs': ms(1, CENTURY_MS, (v) => serve({ reconnect: { firstMs: 1, longestMs: v } })),
  'breaker.windowMs': ms(100, DAY_MS, (v) => serve({ breaker: { windowMs: v } })),
  'breaker.openMs': ms(1, DAY_MS, (v) => serve({ breaker: { openMs: v } })),
  'breaker.probeTimeoutMs': ms(1, DAY_MS, (v) => serve({ breaker: { probeTimeoutMs: v } })),
  'breaker.slowCallMs': ms(1, DAY_MS, (v) => serve({ breaker: { slowCallMs: v }, timeoutMs: CENTURY_MS })),
  'with timeoutMs': { ...ms(1, 2 ** 31, (v) => s.with({ timeoutMs: v }).get('k')), says: ['1 to 2^31'] },
  drainMs: { ...ms(0, 2 ** 31, (v) => serve({ url: 'memory:' }).disconnect({ drainMs: v })), says: ['0 to 2^31'] },
  EX: { ...whole(1, Infinity, (v) => s.set(fresh(), 'v', { EX: v })), says: [] },
  PX: { ...whole(1, Infinity, (v) => s.set(fresh(), 'v', { PX: v })), says: [] },
  'sessions ttl': seconds((v) => new SessionManager(s, { ttl: v })),
  'createSession ttl': seconds((v) => s.sessions.createSession('u', {}, { ttl: v })),
  'storeSession ttl': seconds((v) => s.sessions.storeSession(fresh(), {}, v)),
  'extendSession seconds': seconds((v) => s.sessions.extendSession(fresh(), v)),
  'validateSession ttl': seconds((v) => s.sessions.validateSession(fresh(), { load: () => ({ id: 1 }), ttl: v })),
  'cache ttl': lasting((v) => new ApiCache(s, { ttl: v })),
  loadTimeoutMs: {
    ...ms(1, 2 ** 31, (v) => new ApiCache(s, { loadTimeoutMs: v }).getOrSet(fresh(), () => 1)),
    says: ['1 to 2^31'],
  },
  'set ttl': lasting((v) => s.cache.set(fresh(), 1, { ttl: v })),
  'setCachedResponse ttl': lasting((v) => s.cache.setCachedResponse(fresh(), 1, v)),
  'getOrSet ttl': lasting((v) => s.cache.getOrSet(fresh(), () => 1, { ttl: v })),
  'getOrSet nullTtl': seconds((v) => s.cache.getOrSet(fresh(), () => null, { nullTtl: v })),
  'getOrSet errorTtl': seconds((v) => s.cache.getOrSet(fresh(), () => 1, { errorTtl: v })),
  staleWhileRevalidate: seconds((v) => s.cache.set(fresh(), 1, { staleWhileRevalidate: v })),
  'getOrSet staleWhileRevalidate': seconds((v) => s.cache.getOrSet(fresh(), () => 1, { staleWhileRevalidate: v })),
  windowSeconds: seconds((v) => s.limiter.check(fresh(), { limit: 1, windowSeconds: v })),
  'checkRateLimit windowSeconds': seconds((v) => s.limiter.checkRateLimit(fresh(), 1, v)),
  'checkLimit window': seconds((v) => s.limiter.checkLimit(fresh(), 1, v)),
  'policy per': seconds((v) => new RateLimiter(s, { policies: { p: { limit: 1, per: v } } })),
  'block seconds': seconds((v) => limiterOf(s).block('p', fresh(), v)),
  'override ttlSeconds': seconds((v) => limiterOf(s).override('p', fresh(), { limit: 1, ttlSeconds: v })),
  'wait timeoutMs': {
    ...ms(0, 2 ** 31, (v) => limiterOf(s).wait('p', fresh(), { timeoutMs: v })),
    says: ['0 to 2^31'],
  },
  'acquireLock ttlSeconds': seconds((v) => s.locks.acquireLock(fresh(), v)),
  'acquire ttlSeconds': seconds(async (v) => (await s.locks.acquire(fresh(), { ttlSeconds: v })).release()),
  'acquireAll ttlSeconds': seconds(async (v) => (await s.locks.acquireAll([fresh()], { ttlSeconds: v })).release()),
  'acquireAll maxHoldSeconds': seconds(async (v) =>
    (await s.locks.acquireAll([fresh()], { maxHoldSeconds: v })).release(),
  ),
  'acquire maxHoldSeconds': seconds(async (v) => (await s.locks.acquire(fresh(), { maxHoldSeconds: v })).release()),
  'acquire heartbeatSeconds': seconds(async (v) => (await s.locks.acquire(fresh(), { heartbeatSeconds: v })).release()),
  'acquire wait.timeoutMs': {
    ...ms(1, 2 ** 31, async (v) => (await s.locks.acquire(fresh(), { wait: { timeoutMs: v } })).release()),
    says: ['1 to 2^31'],
  },
  'withLock ttlSeconds': seconds((v) => s.locks.withLock(fresh(), (_, { signal }) => signal.throwIfAborted(), v)),
  'extendLock ttlSeconds': seconds((v) => s.locks.extendLock('l', 'token', v)),
  'rooms leaseMs': ms(100, 3_600_000, (v) => new RealtimeDataManager(s, { leaseMs: v })),
  'queue leaseMs': whole(100, 3_600_000, (v) => s.queue('q', { leaseMs: v })),
  'keep.done.ageSeconds': ms(0.001, YEARS, (v) => s.queue('q', { keep: { done: { ageSeconds: v } } })),
  'keep.dead.ageSeconds': ms(0.001, YEARS, (v) => s.queue('q', { keep: { dead: { ageSeconds: v } } })),
  delay: ms(0, DECADE_MS, (v) => s.queue('q').add('j', 1, { delay: v })),
  backoff: ms(0, DECADE_MS, (v) => s.queue('q').add('j', 1, { backoff: v })),
  'backoff.delayMs': ms(0, DECADE_MS, (v) => s.queue('q').add('j', 1, { backoff: { delayMs: v } })),
  'backoff.maxMs': ms(1, DECADE_MS, (v) => s.queue('q').add('j', 1, { backoff: { maxMs: v } })),
  'job timeoutMs': ms(1, DECADE_MS, (v) => s.queue('q').add('j', 1, { timeoutMs: v })),
  'dedup.ttlMs': ms(1, DECADE_MS, (v) => s.queue('q').add('j', 1, { dedup: { id: fresh(), ttlMs: v } })),
  'limits.rate.perMs': ms(1, YEAR_MS, (v) =>
    s
      .queue(fresh())
      .process(() => {}, { limits: { rate: { max: 1, perMs: v } } })
      .close(),
  ),
  everyMs: whole(100, LAST, (v) => s.queue('r').repeat(fresh(), { everyMs: v }, 'j')),
  startAt: whole(0, LAST, (v) => s.queue('r').repeat(fresh(), { everyMs: 1000, startAt: v }, 'j')),
  endAt: whole(0, LAST, (v) => s.queue('r').repeat(fresh(), { everyMs: 1000, endAt: v }, 'j')),
  'finished timeoutMs': {
    ...ms(1, 2 ** 31, async (v) => {
      const job = await s.queue('f').add('j', 1, never)
      const finished = job.finished({ timeoutMs: v })
      // A timer that has wrapped around ends it within a millisecond. That it does not end is shown only by waiting for a moment.
      const first = await Promise.race([finished, new Promise((resolve) => setTimeout(resolve, 50, 'waits'))])
      finished.catch(() => {})
      assert.equal(first, 'waits')
    }),
    says: ['1 to 2^31'],
  },
  'queue.close timeoutMs': { ...ms(0, 2 ** 31, (v) => s.queue('c').close({ timeoutMs: v })), says: ['0 to 2^31'] },
  'worker.close timeoutMs': {
    ...ms(0, 2 ** 31, (v) =>
      s
        .queue(fresh())
        .process(() => {})
        .close({ timeoutMs: v }),
    ),
    says: ['0 to 2^31'],
  },
  olderThanMs: {
    ...whole(0, Infinity, (v) => s.queue('q').clean('dead', { olderThanMs: v })),
    says: ['0 to 2^53 - 1'],
  },
  beforeMs: {
    ...ms(0, 2 ** 31 - 1, (v) => shutdownOnSignal({ signals: ['SIGUSR2'], service: s, beforeMs: v })()),
    says: ['zero or more milliseconds, at most 2147483647'],
  },
  'shutdown drainMs': {
    ...ms(0, 2 ** 31 - 1, (v) => shutdownOnSignal({ signals: ['SIGUSR2'], service: s, drainMs: v })()),
    says: ['zero or more milliseconds, at most 2147483647'],
  },
  maxAgeMs: {
    ...ms(0, 2 ** 31 - 1, (v) => healthHandler({ service: s, maxAgeMs: v })()),
    says: ['zero or more milliseconds, at most 2147483647'],
  },
})

const CHECKS = {
  timeoutMs: (s, v) => healthCheck(s, { timeoutMs: v }),
  slowMs: (s, v) => healthCheck(s, { slowMs: v }),
}

for (const engine of engines) {
  describe(`times that callers give on ${engine.name}`, () => {
    test('are taken within their bounds, and refused with them', async () => {
      const service = await engine.makeService()
      const all = Object.entries(TIMES(service))
      let refused = 0
      for (const [said, { least, most, isWhole, isLasting = false, says, use }] of all) {
        const name = said.split(' ').at(-1)
        for (const value of VALUES) {
          const fits =
            (isLasting && value === Infinity) ||
            (value >= least && value <= most && typeof value === 'number' && (!isWhole || Number.isInteger(value)))
          const what = `${said}: ${String(value)}`
          let error
          try {
            await use(value)
          } catch (caught) {
            error = caught
          }
          if (fits) {
            assert.equal(error, undefined, `${what}: ${error?.stack}`)
            continue
          }
          refused++
          assert.ok(error, `${what} was taken`)
          assertTyped(error)
          assert.match(error.code, /^E_INVALID_(ARGUMENT|SETTINGS)$/, what)
          assert.ok(error.message.includes(name === 'window' ? 'window' : name), `${what}: ${error.message}`)
          if (typeof value !== 'number') continue
          assert.ok(error.message.endsWith(String(value)), `${what}: ${error.message}`)
          for (const bounds of says ?? [`from ${least} to ${most}`]) {
            assert.ok(error.message.includes(bounds), `${what}: ${error.message}`)
          }
        }
      }
      assert.ok(refused > 200, String(refused))
      await service.disconnect()
    })

    test('of a health check are taken likewise, and what is wrong with them is an alert', async () => {
      const service = await engine.makeService()
      for (const [name, check] of Object.entries(CHECKS)) {
        for (const value of VALUES) {
          const { alerts } = await check(service, value)
          if (value > 0 && value < 2 ** 31 && typeof value === 'number') {
            // Half a millisecond may be too short for a reply, but it is valid.
            if (value !== 0.5) assert.deepEqual(alerts, [], `${name}: ${value}`)
            else assert.ok(!alerts.some((alert) => alert.startsWith('settings')), alerts.join())
          } else {
            const wanted = `settings: ${name} must be a positive number of milliseconds, at most 2147483647`
            assert.ok(alerts[0].startsWith(wanted), `${name}: ${String(value)}: ${alerts}`)
          }
        }
      }
      await service.disconnect()
    })
  })
}

test('each time that an option of the types names is tried', () => {
  const named = [...declarations.matchAll(/^\s+(\w+(?:Ms|Seconds))\??: (?:number|undefined)/gm)].map(([, name]) => name)
  const known = [...Object.keys(TIMES(undefined)), ...Object.keys(CHECKS)].map((name) => name.split(/[ .]/).at(-1))
  // What calls return.
  const results = ['resetMs', 'retryAfterMs', 'retryInMs', 'uptimeSeconds']
  // option-bounds.spec.mjs tries those of the table of options.
  const tried = optionTable.map(({ path }) => path.split('.').at(-1))
  assert.ok(named.length > 30, String(named.length))
  assert.deepEqual(
    [...new Set(named)].filter((name) => ![...known, ...tried, ...results].includes(name)),
    [],
  )
})
