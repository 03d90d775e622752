// What a response says about a limit: the headers of each draft, and the problem of a refused request.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { RateLimiter } from 'cinnabar'
import fc from 'fast-check'

import { engines } from '../support/engines.mjs'

const DRAFTS = [6, 7, 8, 9, 10, 11]
const allowed = {
  allowed: true,
  limit: 5,
  remaining: 4,
  resetMs: 59_001,
  resetTime: 1_795_219_838_400,
  retryAfterMs: 0,
}
const refused = { ...allowed, allowed: false, remaining: 0, retryAfterMs: 17_500 }
const legacy = { 'X-RateLimit-Limit': '5', 'X-RateLimit-Remaining': '4', 'X-RateLimit-Reset': '1795219839' }
const options = { name: 'login', windowSeconds: 300 }

test('the fields of each draft', () => {
  const named = { 'RateLimit-Policy': '"login";q=5;w=300', RateLimit: '"login";r=4;t=60' }
  const policy = { 'RateLimit-Policy': '5;w=300' }
  const separate = { 'RateLimit-Limit': '5', 'RateLimit-Remaining': '4', 'RateLimit-Reset': '60' }
  for (const [draft, wanted] of [
    [undefined, named],
    [11, named],
    [10, named],
    [9, named],
    [8, named],
    [7, { ...policy, RateLimit: 'limit=5, remaining=4, reset=60' }],
    [6, { ...policy, ...separate }],
    ['legacy', {}],
  ]) {
    assert.deepEqual(RateLimiter.headers(allowed, { ...options, draft }), { ...legacy, ...wanted }, String(draft))
  }
  assert.deepEqual(RateLimiter.headers(allowed), legacy, 'as before')
  assert.deepEqual(RateLimiter.headers(allowed, 5), legacy, 'as before')
})

test('what is not known is left out', () => {
  const fields = (result, options) =>
    Object.fromEntries(Object.entries(RateLimiter.headers(result, options)).filter(([name]) => /^RateLimit/.test(name)))
  assert.deepEqual(fields(allowed, {}), { 'RateLimit-Policy': '"default";q=5', RateLimit: '"default";r=4;t=60' })
  assert.deepEqual(fields(allowed, { draft: 7 }), { RateLimit: 'limit=5, remaining=4, reset=60' })
  assert.deepEqual(fields({ ...refused, retryAfterMs: Infinity }, options), {
    'RateLimit-Policy': '"login";q=5;w=300',
    RateLimit: '"login";r=0',
  })
  assert.deepEqual(fields({ ...refused, retryAfterMs: Infinity }, { ...options, draft: 7 }), {
    'RateLimit-Policy': '5;w=300',
  })
  assert.deepEqual(fields({ ...allowed, limit: Infinity, remaining: Infinity, resetMs: 0 }, options), {})
  assert.deepEqual(fields({ allowed: true, remaining: 3 }, options), {})
  assert.deepEqual(fields({ allowed: true, remaining: 3 }, { ...options, limit: 9 }), {
    'RateLimit-Policy': '"login";q=9;w=300',
    RateLimit: '"login";r=3',
  })
})

test('a refused request has one time, rounded up', () => {
  const headers = RateLimiter.headers(refused, options)
  assert.equal(headers['Retry-After'], '18')
  assert.equal(headers.RateLimit, '"login";r=0;t=18')
  assert.equal(RateLimiter.headers({ ...refused, retryAfterMs: 1 }, options).RateLimit, '"login";r=0;t=1')
})

test('all numbers are whole, and Retry-After is never before the time of the field', () => {
  const number = fc.oneof(
    fc.nat(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, min: -1e300, minExcluded: true }),
    fc.constant(Infinity),
  )
  const ms = fc.oneof(fc.double({ min: 0, max: 1e12, noNaN: true }), number)
  const result = fc.record({
    allowed: fc.boolean(),
    limit: number,
    remaining: number,
    resetMs: ms,
    resetTime: fc.oneof(fc.constant(undefined), number),
    retryAfterMs: ms,
  })
  const form = fc.record(
    {
      draft: fc.constantFrom(...DRAFTS),
      name: fc.string({ minLength: 1 }),
      windowSeconds: fc.double({ min: 0.001, max: 1e300, noNaN: true }),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(result, form, (result, form) => {
      const headers = RateLimiter.headers(result, form)
      for (const [name, value] of Object.entries(headers)) {
        assert.match(value, /^[\x20-\x7e]+$/)
        if (!/^RateLimit/.test(name)) assert.match(value, /^\d+$/, name)
        for (const [, number] of value.replace(/^"(?:[^"\\]|\\.)*"/, '').matchAll(/=([^;,]*)/g))
          assert.match(number, /^\d{1,15}$/, value)
      }
      const time = headers.RateLimit?.match(/(?:t|reset)=(\d+)$/)?.[1] ?? headers['RateLimit-Reset'] ?? 0
      if (headers['Retry-After']) assert.ok(Number(headers['Retry-After']) >= Math.max(1, Number(time)))
    }),
    { numRuns: 5000 },
  )
})

test('numbers that no header can have become the nearest one that it can', () => {
  const made = { allowed: false, limit: 1e21, remaining: -3.5, resetTime: -1, retryAfterMs: 1e300 }
  assert.deepEqual(RateLimiter.headers(made, { windowSeconds: 1e300 }), {
    'X-RateLimit-Limit': '9007199254740991',
    'X-RateLimit-Remaining': '0',
    'X-RateLimit-Reset': '0',
    'Retry-After': '9007199254740991',
    'RateLimit-Policy': '"default";q=999999999999999;w=999999999999999',
    RateLimit: '"default";r=0;t=999999999999999',
  })
})

test('the problem names the policies', () => {
  const problem = RateLimiter.problem(refused, options)
  assert.equal(problem.status, 429)
  assert.deepEqual(problem.headers, {
    'Content-Type': 'application/problem+json',
    ...RateLimiter.headers(refused, options),
  })
  assert.deepEqual(JSON.parse(problem.body), {
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    title: 'Request cannot be satisfied as assigned quota has been exceeded',
    status: 429,
    detail: 'Try again in 18 seconds.',
    'violated-policies': ['login'],
  })
  const named = (options) => JSON.parse(RateLimiter.problem(refused, options).body)['violated-policies']
  assert.deepEqual([named(), named({ policies: ['day', 'a"b'] })], [['default'], ['day', 'a"b']])
  const never = RateLimiter.problem({ ...refused, retryAfterMs: Infinity })
  assert.deepEqual(['Retry-After' in never.headers, 'detail' in JSON.parse(never.body)], [false, false])
})

test('what the program got wrong is an error', () => {
  for (const wrong of [
    { draft: 5 },
    { draft: 12 },
    { draft: '7' },
    { draft: null },
    { name: '' },
    { name: 'ä' },
    { name: 'a\r\nb' },
    { name: 1 },
    { windowSeconds: 0 },
    { windowSeconds: NaN },
    { windowSeconds: Infinity },
    { windowSeconds: '60' },
    { limit: 'x' },
    { window: 1 },
    null,
    [],
  ]) {
    assert.throws(() => RateLimiter.headers(allowed, wrong), { code: 'E_INVALID_ARGUMENT' }, JSON.stringify(wrong))
    assert.throws(() => RateLimiter.problem(refused, wrong), { code: 'E_INVALID_ARGUMENT' }, JSON.stringify(wrong))
  }
  assert.throws(() => RateLimiter.problem(allowed), { code: 'E_INVALID_ARGUMENT' })
  assert.throws(() => RateLimiter.problem(undefined), { code: 'E_INVALID_ARGUMENT' })
  for (const policies of ['login', [1], [''], {}]) {
    assert.throws(() => RateLimiter.problem(refused, { policies }), { code: 'E_INVALID_ARGUMENT' })
  }
})

for (const engine of engines) {
  test(`of a policy on ${engine.name}`, async () => {
    const service = await engine.makeService()
    const limiter = new RateLimiter(service, { policies: { login: { algorithm: 'fixed-window', limit: 1, per: 60 } } })
    const form = { name: 'login', windowSeconds: 60 }
    const first = limiter.headers(await limiter.check('login', 'ann'), form)
    assert.deepEqual([first['RateLimit-Policy'], first.RateLimit], ['"login";q=1;w=60', '"login";r=0;t=60'])
    const { status, headers } = limiter.problem(await limiter.check('login', 'ann'), form)
    const [, seconds] = headers.RateLimit.match(/^"login";r=0;t=(\d+)$/)
    assert.ok(status === 429 && seconds === headers['Retry-After'] && seconds > 50 && seconds <= 60, seconds)
    await service.disconnect()
  })
}
