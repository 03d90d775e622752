// Limits of what runs at the same time: slots with leases that are renewed off the event loop.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, test } from 'node:test'

import { RateLimiter, RedisService } from 'cinnabar'

import { rawClient, refuses, root, until } from '../helpers.mjs'
import { engines, freePort } from '../support/engines.mjs'

const policies = {
  exports: { algorithm: 'concurrency', limit: 2 },
  short: { algorithm: 'concurrency', limit: 1, leaseMs: 1000 },
  none: { algorithm: 'concurrency', limit: 0 },
  free: { algorithm: 'concurrency', limit: Infinity },
  shadow: { algorithm: 'concurrency', limit: 1, shadow: true },
  counted: { limit: 5, per: 60 },
}

for (const engine of engines) {
  describe(`concurrency limits on ${engine.name}`, () => {
    const withLimiter = (run) => async () => {
      const service = await engine.makeService({ log: false })
      try {
        await run(new RateLimiter(service, { policies }), service)
      } finally {
        await service.disconnect()
      }
    }

    test(
      'so many run at the same time, in all processes',
      withLimiter(async (here, service) => {
        const other = engine.beside(service)
        const there = new RateLimiter(other, { policies })
        const [first, second] = [await here.acquire('exports', 'ann'), await there.acquire('exports', 'ann')]
        assert.deepEqual([first.allowed, first.limit, first.remaining], [true, 2, 1])
        assert.deepEqual([second.remaining, second.isTaken, second.source], [0, true, 'store'])
        const refused = await here.acquire('exports', 'ann')
        assert.deepEqual([refused.allowed, refused.remaining, refused.isTaken], [false, 0, false])
        assert.ok(refused.retryAfterMs > 0 && refused.retryAfterMs <= 10_000)
        assert.equal(await refused.release(), false)
        assert.equal((await here.acquire('exports', 'bob')).allowed, true, 'others have their own')
        assert.deepEqual([await second.release(), await second.release(), second.isTaken], [true, false, false])
        const third = await here.acquire('exports', 'ann')
        assert.equal(third.allowed, true)
        // Both are released with their service.
        await other.disconnect()
      }),
    )

    test(
      'many at once never get more than there are',
      withLimiter(async (limiter) => {
        const slots = await Promise.all(Array.from({ length: 200 }, () => limiter.acquire('exports', 'crowd')))
        const taken = slots.filter(({ allowed }) => allowed)
        assert.equal(taken.length, 2)
        await Promise.all(taken.map((slot) => slot[Symbol.asyncDispose]()))
        assert.equal((await limiter.acquire('exports', 'crowd')).remaining, 1)
      }),
    )

    test(
      'none, all and shadows',
      withLimiter(async (limiter) => {
        const none = await limiter.acquire('none', 'x')
        assert.deepEqual([none.allowed, none.retryAfterMs], [false, Infinity])
        const free = await limiter.acquire('free', 'x')
        assert.deepEqual([free.allowed, free.limit, free.isTaken, await free.release()], [true, Infinity, false, false])
        const shadows = [await limiter.acquire('shadow', 'x'), await limiter.acquire('shadow', 'x')]
        assert.deepEqual(
          shadows.map(({ allowed, shadowDenied, isTaken }) => [allowed, shadowDenied, isTaken]),
          [
            [true, undefined, true],
            [true, true, false],
          ],
        )
      }),
    )

    test(
      'each kind of policy has its own methods',
      withLimiter(async (limiter) => {
        await refuses(limiter.acquire('counted', 'x'), 'E_INVALID_ARGUMENT', /'concurrency'/)
        await refuses(limiter.acquire('nope', 'x'), 'E_INVALID_ARGUMENT', /exports/)
        for (const call of [
          () => limiter.check('exports', 'x'),
          () => limiter.peek('exports', 'x'),
          () => limiter.wait('exports', 'x'),
          () => limiter.block('exports', 'x', 1),
          () => limiter.checkAll([{ policy: 'exports', identifier: 'x' }]),
        ]) {
          await refuses(call(), 'E_INVALID_ARGUMENT', /acquire/)
        }
      }),
    )

    test(
      'a slot is released by a caller that leaves, and with its service',
      withLimiter(async (limiter, service) => {
        const leaving = new AbortController()
        const left = limiter.acquire('short', 'x', { signal: leaving.signal })
        leaving.abort()
        await refuses(left, 'E_ABORTED')
        await until('it is free', async () => {
          const slot = await limiter.acquire('short', 'x')
          return slot.allowed
        })
        const other = engine.beside(service)
        const slot = await new RateLimiter(other, { policies }).acquire('exports', 'y')
        await other.disconnect()
        assert.equal(slot.isTaken, false)
        assert.equal((await limiter.acquire('exports', 'y')).remaining, 1)
      }),
    )

    test(
      'a slot can be released after its signal has aborted',
      withLimiter(async (limiter) => {
        const done = new AbortController()
        const slots = [
          await limiter.with({ signal: done.signal }).acquire('exports', 'x'),
          await limiter.acquire('exports', 'x', { signal: done.signal }),
        ]
        const left = limiter.with({ signal: done.signal }).acquire('short', 'x')
        done.abort()
        await refuses(left, 'E_ABORTED')
        for (const slot of slots) {
          assert.deepEqual([slot.isTaken, await slot.release(), slot.isTaken], [true, true, false])
        }
        await until('that of the caller who left is free', async () => (await limiter.acquire('short', 'x')).allowed)
      }),
    )

    test(
      'a slot of before disconnect() does nothing to those of after connect()',
      withLimiter(async (limiter, service) => {
        const before = await limiter.acquire('exports', 'x')
        await service.disconnect()
        assert.equal(await before.release(), false, 'it was released with its service')
        await service.connect()
        const after = await limiter.acquire('exports', 'x')
        assert.deepEqual([before.isTaken, await before.release(), after.isTaken], [false, false, true])
        assert.equal(await after.release(), true)
      }),
    )

    test(
      'a slot that is acquired during disconnect() is released',
      withLimiter(async (limiter, service) => {
        for (let turns = 0; turns < 6; turns++) {
          const other = engine.beside(service)
          await other.connect()
          const acquired = new RateLimiter(other, { policies }).acquire('exports', `x${turns}`)
          for (let turn = 0; turn < turns; turn++) await null
          const closed = other.disconnect()
          assert.equal((await acquired).isTaken, false)
          await closed
          assert.equal((await limiter.acquire('exports', `x${turns}`)).remaining, 1)
        }
      }),
    )

    test('an invalid policy is refused', async () => {
      const service = await engine.makeService()
      for (const policy of [
        { algorithm: 'concurrency' },
        { algorithm: 'concurrency', limit: 1, per: 5 },
        { algorithm: 'concurrency', limit: 1, leaseMs: 10 },
        { algorithm: 'concurrency', limit: 1, burst: 1 },
        { limit: 1, per: 5, leaseMs: 5000 },
      ]) {
        const make = () => new RateLimiter(service, { policies: { p: policy } })
        assert.throws(make, { code: 'E_INVALID_ARGUMENT', message: /policies\.p/ }, JSON.stringify(policy))
      }
      await service.disconnect()
    })
  })
}

const [, redis] = engines

/** A process that takes a slot, says so, and then does what `then` says. */
function taking(then) {
  const source = `
    import { RateLimiter, RedisService } from 'cinnabar'
    const service = new RedisService({ url: ${JSON.stringify(redis.server.url)} })
    const limiter = new RateLimiter(service, { policies: ${JSON.stringify({ short: policies.short })} })
    const slot = await limiter.acquire('short', 'held')
    process.stdout.write(String(slot.allowed))
    ${then}`
  return spawn(process.execPath, ['--input-type=module', '-e', source], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
}

test('a slot stays taken while the event loop is blocked, and is free a lease after its process was killed', async () => {
  const service = await redis.makeService()
  const limiter = new RateLimiter(service, { policies })
  const child = taking(
    'const until = performance.now() + 4000; while (performance.now() < until); setInterval(() => {}, 1000)',
  )
  const [allowed] = await once(child.stdout, 'data')
  assert.equal(String(allowed), 'true')
  const blockedUntil = performance.now() + 3000
  while (performance.now() < blockedUntil) {
    assert.equal((await limiter.acquire('short', 'held')).allowed, false, 'for three leases')
    // Leases are renewed in real time, so three of them have to pass.
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  child.kill('SIGKILL')
  const killedAt = performance.now()
  let slot
  await until('it is free', async () => (slot = await limiter.acquire('short', 'held')).allowed)
  assert.ok(performance.now() - killedAt < 3000)
  assert.equal(await slot.release(), true)
  await service.disconnect()
})

test('a slot of which no reply came is free soon, whether it was acquired or released', async () => {
  const service = await redis.makeService({ timeoutMs: 300, retryAttempts: 0, log: false })
  const limiter = new RateLimiter(service, {
    policies: { long: { algorithm: 'concurrency', limit: 1, leaseMs: 60_000 } },
  })
  const watching = redis.beside(service)
  const isFree = async (id) => (await (await rawClient(watching)).zCard(`rate_limit:{rate_limit:${id}}:long`)) === 0
  const slot = await limiter.acquire('long', 'released')
  await redis.server.whilePaused(async () => {
    const released = slot.release()
    assert.equal((await limiter.acquire('long', 'acquired')).isTaken, false)
    await refuses(released, 'E_MAYBE_APPLIED')
  })
  await until('both are free', async () => (await isFree('released')) && (await isFree('acquired')))
  await service.disconnect()
  await watching.disconnect()
})

test('slots without a server do what the limiter says', async () => {
  const url = `redis://127.0.0.1:${await freePort()}`
  const service = new RedisService({ url, connectTimeoutMs: 300, timeoutMs: 500, retryAttempts: 0, log: false })
  for (const [onUnavailable, allowed] of [
    ['allow', true],
    ['local', true],
    ['deny', false],
  ]) {
    const slot = await new RateLimiter(service, { onUnavailable, policies }).acquire('exports', 'x')
    assert.deepEqual([slot.allowed, slot.isTaken, slot.source], [allowed, false, 'fallback'])
  }
  const loud = new RateLimiter(service, { onUnavailable: 'throw', policies })
  await refuses(loud.acquire('exports', 'x'), 'E_UNAVAILABLE')
  await service.disconnect()
})
