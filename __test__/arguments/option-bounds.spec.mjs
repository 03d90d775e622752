// Every option that is a number accepts its bounds in the table of options, and refuses what lies outside and what is no number.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, describe, test } from 'node:test'

import {
  ApiCache,
  CinnabarError,
  JobQueue,
  RateLimiter,
  RealtimeDataManager,
  RedisService,
  SessionManager,
} from 'cinnabar'

import { optionTable } from '../support/option-table.mjs'

const service = new RedisService({ url: `memory:${randomUUID()}` })
const queue = new JobQueue('bounds', { service })
after(() => service.disconnect())

/** What takes the options, and throws or rejects if one is refused. */
const TAKERS = {
  // Not used, so nothing connects.
  service: (options) => new RedisService({ host: 'localhost', ...options }),
  cache: (options) => new ApiCache(service, options),
  cacheSet: (options) => service.cache.set('key', 1, options),
  sessions: (options) => new SessionManager(service, options),
  createSession: (options) => service.sessions.createSession('user', {}, options),
  updateSession: (options) => service.sessions.updateSession('none', {}, options),
  policy: (options) => new RateLimiter(service, { policies: { p: options } }),
  rooms: (options) => new RealtimeDataManager(service, options),
  subscribe: async (options) => (await service.subscribe('channel', () => {}, options)).close(),
  queue: (options) => new JobQueue('other', { service, ...options }),
  job: (options) => queue.add('name', {}, options),
  schedule: (options) => queue.repeat('id', options, 'name'),
  worker: (options) => queue.process(() => {}, options).close(),
}
const longest = optionTable.find(({ path }) => path === 'timeoutMs').most
/** What must be given beside an option, by the class or method and the path. */
const BESIDE = {
  'policy leaseMs': { algorithm: 'concurrency', limit: 1 },
  'service connectWaitMs': { timeoutMs: Number(longest) },
  'service breaker.slowCallMs': { timeoutMs: Number(longest) },
  'job dedup.ttlMs': { dedup: { id: 'id' } },
  'schedule startAt': { everyMs: 1000 },
  'schedule endAt': { everyMs: 1000 },
  'schedule limit': { everyMs: 1000 },
  'worker limits.rate.max': { limits: { rate: { perMs: 1000 } } },
  'worker limits.rate.perMs': { limits: { rate: { max: 1 } } },
  'worker limits.group.rate.max': { limits: { group: { rate: { perMs: 1000 } } } },
  'worker limits.group.rate.perMs': { limits: { group: { rate: { max: 1 } } } },
}

/** Options of which the one at this path is set. */
function withOption(beside, [name, ...rest], value) {
  return { ...beside, [name]: rest.length === 0 ? value : withOption(beside?.[name], rest, value) }
}

/** The error with which the options are refused, or undefined. */
async function refusal(taker, options) {
  try {
    await TAKERS[taker](options)
  } catch (error) {
    return error
  }
}

const numbers = optionTable.filter(({ least }) => least !== undefined)

for (const taker of new Set(numbers.map((option) => option.taker))) {
  describe(`numbers among the options of ${taker}`, () => {
    const code = taker === 'service' ? 'E_INVALID_SETTINGS' : 'E_INVALID_ARGUMENT'

    for (const { path, least, most } of numbers.filter((option) => option.taker === taker)) {
      test(`${path} is from ${least} to ${most}`, async () => {
        const taken = (value) => refusal(taker, withOption(BESIDE[`${taker} ${path}`], path.split('.'), value))
        const above = least.startsWith('>')
        const bound = Number(least.replace('>', ''))
        for (const value of [above ? Number.MIN_VALUE : bound, Number(most)]) {
          assert.equal(await taken(value), undefined, `${value} is accepted`)
        }
        for (const value of [above ? bound : bound - 1, Number(most) + 1, NaN, String(most), null]) {
          const error = await taken(value)
          assert.ok(error instanceof CinnabarError, `${value} is refused`)
          assert.equal(error.code, code, error.message)
          assert.ok(error.message.replace(/^(options|policies\.p)\./, '').startsWith(`${path} must `), error.message)
        }
      })
    }
  })
}
