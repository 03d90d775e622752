import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'

import { CinnabarError, DistributedLock, RedisService } from 'cinnabar'

import { refuses, root } from '../helpers.mjs'
import { engines, startRedis } from '../support/engines.mjs'
import { declarations } from '../support/types.mjs'

const require = createRequire(import.meta.url)
const { allowsFallback, isUnavailable } = require('../../lib/error.js')

describe('CinnabarError', () => {
  test('is an Error with a stable code, and says whether to try again', async () => {
    const locks = new DistributedLock(new RedisService({ url: 'memory:' }))
    const error = await refuses(locks.acquireLock(''), 'E_INVALID_ARGUMENT')
    assert.ok(error instanceof Error)
    assert.equal(error.name, 'CinnabarError')
    assert.equal(String(error), `CinnabarError: ${error.message}`)
    assert.equal(error.retryable, false)
    assert.deepEqual(Object.keys(error).sort(), ['code', 'command', 'retryable'])
    assert.match(inspect(error), /CinnabarError: .*\n(.|\n)*E_INVALID_ARGUMENT/)
  })

  test('is recognised across copies of the package', () => {
    const path = require.resolve('../../lib/error.js')
    const saved = require.cache[path]
    delete require.cache[path]
    const copy = require(path)
    require.cache[path] = saved
    assert.notEqual(copy.CinnabarError, CinnabarError)
    assert.ok(new copy.CinnabarError('x') instanceof CinnabarError)
    assert.ok(new CinnabarError('x') instanceof copy.CinnabarError)
  })

  test('claims nothing else', () => {
    class Own extends CinnabarError {}
    assert.ok(new Own('x') instanceof Own)
    assert.ok(new Own('x') instanceof CinnabarError)
    assert.equal(new CinnabarError('x') instanceof Own, false)
    for (const other of [new Error('x'), { code: 'E_TIMEOUT' }, null, undefined, 'E_TIMEOUT', 42, () => 1]) {
      assert.equal(other instanceof CinnabarError, false)
    }
  })

  test('keeps what its maker said', () => {
    const cause = new Error('why')
    const error = new CinnabarError('held', { code: 'E_LOCK_HELD', retryable: true, cause })
    assert.deepEqual([error.message, error.code, error.retryable, error.cause], ['held', 'E_LOCK_HELD', true, cause])
    const bare = new CinnabarError('x')
    assert.deepEqual([bare.code, bare.retryable, 'cause' in bare], ['E_INTERNAL', false, false])
  })

  test('has the same codes in the types as in the engine', () => {
    const rust = readFileSync(`${root}/crates/port/src/error.rs`, 'utf8')
    const known = [...rust.matchAll(/= "(E_[A-Z_]+)", retryable/g)].map(([, code]) => code)
    const union = declarations.match(/export type ErrorCode =([^]*?)\n\n/)[1]
    const typed = [...union.matchAll(/'(E_[A-Z_]+)'/g)].map(([, code]) => code)
    assert.ok(known.length >= 15)
    assert.deepEqual(typed, known)
    const table = Object.fromEntries(
      [...declarations.matchAll(/\* \| `(E_[A-Z_]+)` \|.*\| (yes|no) \|/g)].map((row) => row.slice(1)),
    )
    const retryables = [...rust.matchAll(/= "(E_[A-Z_]+)", retryable: (true|false)/g)]
    assert.equal(retryables.length, known.length)
    for (const [, code, retryable] of retryables) {
      assert.equal(table[code], retryable === 'true' ? 'yes' : 'no', code)
    }
  })

  test('has the same policy for an unavailable store in lib as in the engine', () => {
    const table = readFileSync(`${root}/crates/port/src/error.rs`, 'utf8')
    const codes = Object.fromEntries(
      [...table.matchAll(/(\w+) = "(E_[A-Z_]+)", retryable/g)].map(([, kind, code]) => [kind, code]),
    )
    const policy = readFileSync(`${root}/crates/port/src/error/unavailable.rs`, 'utf8')
    const kindsOf = (name) =>
      [
        ...policy
          .split(`fn ${name}`)[1]
          .split('fn ')[0]
          .matchAll(/Self::(\w+)/g),
      ].map(([, kind]) => codes[kind])
    const unavailable = kindsOf('is_unavailable').sort()
    assert.ok(unavailable.includes('E_UNAVAILABLE') && !unavailable.includes(undefined))
    for (const code of Object.values(codes)) {
      const error = new CinnabarError('x', { code })
      assert.equal(isUnavailable(error), unavailable.includes(code), code)
      const falls = unavailable.includes(code) || kindsOf('allows_fallback').includes(code)
      assert.equal(allowsFallback(error), falls, code)
    }
    for (const other of [new Error('x'), { code: 'E_UNAVAILABLE' }, undefined]) {
      assert.equal(isUnavailable(other) || allowsFallback(other), false)
    }
  })

  test('every code in the sources is one of the table', () => {
    const rust = readFileSync(`${root}/crates/port/src/error.rs`, 'utf8')
    const known = new Set([...rust.matchAll(/= "(E_[A-Z_]+)", retryable/g)].map(([, code]) => code))
    assert.ok(known.size >= 15)
    let named = 0
    // What addon.js throws ends the import, before there is anything else.
    const files = readdirSync(`${root}/lib`, { recursive: true }).filter((name) => /(?<!addon)\.js$/.test(name))
    for (const file of files) {
      const source = readFileSync(`${root}/lib/${file}`, 'utf8')
      for (const [code] of source.matchAll(/\bE_[A-Z_]+\b/g)) {
        assert.ok(known.has(code), `${file}: ${code}`)
        named++
      }
    }
    assert.ok(named > 40, String(named))
  })
})

describe('errors of a server', () => {
  test('a wrong password, a missing password and a missing permission are E_AUTH', async () => {
    const password = `p${Math.random()}`
    const server = await startRedis({ args: ['--requirepass', password], password })
    const wrong = new RedisService({ url: `redis://:wrong@127.0.0.1:${server.port}` })
    const error = await refuses(wrong.get('k'), 'E_AUTH')
    assert.equal(error.retryable, false)
    assert.doesNotMatch(inspect(error), /wrong@/)
    const none = new RedisService({ url: `redis://127.0.0.1:${server.port}` })
    await refuses(none.get('k'), 'E_AUTH')
    const right = new RedisService({ url: `redis://127.0.0.1:${server.port}`, password })
    assert.equal(await right.set('k', 'v'), 'OK')
    await server.command('ACL', 'SETUSER', 'reader', 'on', '>reading', '~*', '+@read', '+@connection', '+info')
    const reader = new RedisService({ url: `redis://reader:reading@127.0.0.1:${server.port}` })
    assert.equal(await reader.get('k'), 'v')
    await refuses(reader.set('k', 'w'), 'E_AUTH')
    await Promise.all([wrong, none, right, reader].map((service) => service.disconnect()))
    await server.stop()
  })

  test('a full server is E_OUT_OF_MEMORY, and worth another try', async () => {
    const server = await startRedis({ args: ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'] })
    const service = new RedisService({ url: server.url })
    const error = await refuses(service.set('k', 'v'), 'E_OUT_OF_MEMORY')
    assert.equal(error.retryable, true)
    assert.equal(await service.get('k'), null)
    await service.disconnect()
    await server.stop()
  })

  test('a server that hangs is E_TIMEOUT or E_MAYBE_APPLIED in time, and every call settles', async () => {
    const server = await startRedis()
    const service = new RedisService({ url: server.url, timeoutMs: 500 })
    await service.set('k', 'v')
    server.pause()
    const started = performance.now()
    const settled = await Promise.allSettled(
      Array.from({ length: 100 }, (_, i) => (i % 2 ? service.get('k') : service.set('k', 'w'))),
    )
    const took = performance.now() - started
    server.resume()
    assert.ok(took < 5000, `took ${took} ms`)
    for (const { status, reason } of settled) {
      assert.equal(status, 'rejected')
      assert.ok(['E_TIMEOUT', 'E_MAYBE_APPLIED', 'E_UNAVAILABLE'].includes(reason.code), reason.message)
    }
    await service.disconnect()
    await server.stop()
  })

  test('comes back by itself when the server does', async () => {
    const [, redis] = engines
    const service = await redis.makeService({ timeoutMs: 2000 })
    await service.set('k', 'v')
    await redis.server.kill()
    const lost = await service.get('k').then(
      () => assert.fail('fulfilled without a server'),
      (error) => error,
    )
    assert.ok(['E_UNAVAILABLE', 'E_TIMEOUT'].includes(lost.code), lost.code)
    await redis.server.start()
    const deadline = performance.now() + 15_000
    for (;;) {
      try {
        assert.equal(await service.get('k'), null)
        break
      } catch (error) {
        assert.ok(error instanceof CinnabarError && performance.now() < deadline, error.message)
      }
    }
    await service.disconnect()
  })
})

describe('development without a server', () => {
  test('returns the empty value of each operation, and warns once per operation', async () => {
    const [, redis] = engines
    const warnings = []
    const warn = console.warn
    console.warn = (...args) => warnings.push(args.join(' '))
    try {
      await redis.server.stop()
      const service = new RedisService({
        url: redis.server.url,
        onUnavailable: 'empty',
        connectTimeoutMs: 300,
        timeoutMs: 1000,
        log: false,
      })
      for (let i = 0; i < 3; i++) {
        assert.equal(await service.get('k'), null)
        assert.equal(await service.set('k', 'v'), null)
        assert.equal(await service.del('k'), 0)
        assert.equal(await service.exists('k'), 0)
        assert.equal(await service.expire('k', 1), false)
        assert.equal(await service.hGet('h', 'f'), null)
        assert.deepEqual({ ...(await service.hGetAll('h')) }, {})
        assert.equal(await service.hSet('h', 'f', 'v'), 0)
        assert.equal(await service.publish('c', 1), 0)
        assert.equal(await service.sessions.get('x'), null)
        assert.equal(await service.sessions.update('x', {}), false)
        assert.equal(await service.sessions.destroy('x'), 0)
        assert.deepEqual(await service.sessions.listSessions('u'), [])
        assert.equal(await service.cache.get('k'), null)
        assert.deepEqual({ ...(await service.rooms.getRoomUsers('r')) }, {})
        assert.deepEqual(await service.rooms.getRecentMessages('r'), [])
        assert.equal((await service.limiter.checkRateLimit('u', 5, 60)).allowed, true)
      }
      const gets = warnings.filter((text) => text === 'Redis not connected - skipping GET operation')
      assert.equal(gets.length, 1, warnings.join('\n'))
      assert.equal(new Set(warnings).size, warnings.length, 'a warning came twice')
      for (const text of warnings) assert.match(text, /^Redis not connected - skipping [A-Z_ ]+ operation$/)
      await service.disconnect()
    } finally {
      console.warn = warn
      await redis.server.start()
    }
  })

  test('a mistake of the caller is an error all the same', async () => {
    const [, redis] = engines
    await redis.server.stop()
    const service = new RedisService({ url: redis.server.url, onUnavailable: 'empty', connectTimeoutMs: 300 })
    await refuses(service.get(''), 'E_INVALID_ARGUMENT')
    await refuses(service.cache.set('k', undefined), 'E_INVALID_ARGUMENT')
    await service.disconnect()
    await redis.server.start()
  })
})
