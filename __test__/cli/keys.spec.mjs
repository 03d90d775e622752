// `cinnabar keys` against real servers.

import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'

import { JobQueue, RedisService } from 'cinnabar'

import { startCluster } from '../support/cluster.mjs'
import { fakeServer } from '../support/fake-server.mjs'
import { freePort } from '../support/processes.mjs'
import { startRedis } from '../support/redis.mjs'
import { PASSWORD, WRONG, fails, usage, usageJson } from './support.mjs'

const SECRET = '0123456789abcdefghijklmnopqrstuvwxyz'
const HOUR = 3_600_000
const env = { REDIS_PASSWORD: PASSWORD }

let server
before(async () => {
  server = await startRedis({ password: PASSWORD, args: ['--requirepass', PASSWORD] })
})
after(() => server.stop())
beforeEach(() => server.command('FLUSHALL'))

const at = () => ['--timeout', '60', '--url', `redis://127.0.0.1:${server.port}`]
const run = (...words) => usage(['keys', ...words, ...at()], { env })
const json = (...words) => usageJson(['keys', ...words, ...at()], { env })
const byPrefix = ({ prefixes }) => Object.fromEntries(prefixes.map((each) => [each.prefix ?? 'other', each]))
/** A string for each number, with a ttl. */
const fill = (prefix, count, ms = HOUR) =>
  server.command('EVAL', `for i = 1, ${count} do redis.call('SET', KEYS[1] .. i, i, 'PX', ${ms}) end`, 1, prefix)

describe('keys are counted', () => {
  test('by the prefixes of the features', async () => {
    const service = new RedisService({ url: server.url })
    await service.sessions.createSession('ada', {})
    await service.cache.set('users', [1, 2, 3], { ttl: 60 })
    await service.locks.acquireLock('report', 3600)
    await new JobQueue('mails', { service }).add('welcome', {})
    await service.disconnect()
    await server.command('SET', `session:${SECRET}`, 'x')
    await server.command('SET', 'counter', '1')
    const { target, keys, total, complete, pattern, prefixes, names } = await json()
    assert.deepEqual([target, complete, pattern, names], [`127.0.0.1:${server.port}`, true, null, undefined])
    assert.deepEqual([keys, total], [await server.command('DBSIZE'), keys])
    const found = byPrefix({ prefixes })
    assert.deepEqual(
      ['session:', 'api:', 'lock:', 'queue:', 'other'].map((prefix) => found[prefix].feature),
      ['sessions', 'cache', 'locks', 'queues', null],
    )
    assert.equal(found['session:'].withoutTtl, 1)
    assert.deepEqual([found['api:'].keys, found['api:'].withoutTtl], [1, 0])
    assert.ok(found['api:'].shortestTtlMs <= 60_000 && found['lock:'].longestTtlMs <= HOUR)
    assert.equal(found.other.shortestTtlMs, null)
    assert.equal(
      keys,
      prefixes.reduce((sum, each) => sum + each.keys, 0),
    )
    for (const { keys, memory } of prefixes) {
      assert.equal(memory.sampled, Math.min(keys, 50))
      assert.ok(memory.meanBytes > 0 && memory.estimatedBytes > 0)
    }
  })

  test('as a table without a name', async () => {
    await fill('api:', 1200)
    await server.command('SET', `session:${SECRET}`, 'x')
    const { status, out, err } = await run()
    assert.deepEqual([status, err], [0, ''])
    const lines = out.split('\n')
    assert.match(lines[2], /^prefix +keys +no ttl +shortest +longest +memory$/)
    assert.match(lines[3], /^api: +1,200 +0 % +\d+ min +(\d+ min|1 h) +~\d.* kB$/)
    assert.match(lines[4], /^session: +1 +100 % +- +- +\d+ B$/)
    assert.equal(lines.at(-2), 'all 1,201 keys')
    assert.ok(lines.every((line) => line.length <= 80) && !out.includes('01234') && !out.includes('\x1b'))
  })

  test('where there are none', async () => {
    assert.match((await run()).out, /\nno keys\n$/)
    assert.deepEqual((await json()).prefixes, [])
  })

  test('up to a limit, and says of how many', async () => {
    await fill('api:', 3000)
    const found = await json('--limit', '700')
    assert.deepEqual([found.keys, found.total, found.complete], [700, 3000, false])
    assert.match(
      (await run('--limit', '700')).out,
      /\n700 of about 3,000 keys were read; a higher --limit reads more\n$/,
    )
    assert.deepEqual((await json('--limit', '3000')).keys, 3000)
  })

  test('if they match a pattern', async () => {
    await fill('api:', 2000)
    await fill('room:', 30)
    const { keys, complete, prefixes } = await json('room:*')
    assert.deepEqual([keys, complete, prefixes.length], [30, true, 1])
    assert.match((await run('room:1')).out, /\n1 key matches of about 2,030\n$/)
    assert.match(
      (await run('none*', '--limit', '1000')).out,
      /\n0 keys match so far; not all of about 2,030 were examined/,
    )
  })

  test('by a prefix of the application', async () => {
    await fill('shop:lock:', 3)
    await fill('shop:', 2)
    const found = byPrefix(await json('--prefix', 'shop:', '--prefix', 'shop:lock:', '--prefix', 'lock:'))
    assert.deepEqual([found['shop:'].keys, found['shop:lock:'].keys, found.other], [2, 3, undefined])
  })

  test('on every primary of a cluster', async () => {
    const cluster = await startCluster()
    const service = new RedisService({ url: cluster.url })
    await Promise.all(Array.from({ length: 300 }, (_, n) => service.cache.set(`key-${n}`, n, { ttl: 60 })))
    const { keys, total, complete, prefixes } = await usageJson(['keys', '--timeout', '60', '--url', cluster.url])
    assert.deepEqual([keys, total, complete], [300, 300, true])
    assert.deepEqual([prefixes[0].withoutTtl, prefixes[0].unknownTtl, prefixes[0].memory.sampled], [0, 0, 50])
    await service.disconnect()
    await cluster.close()
  })
})

describe('names', () => {
  test('are shown on demand, without what could be used as a session', async () => {
    await server.command('SET', `session:${SECRET}`, 'x')
    await server.command('SET', `sess:${SECRET}`, 'x')
    await server.command('SET', `app:${SECRET}`, 'x')
    await server.command('SET', 'api:users', '1', 'PX', HOUR)
    await server.command('SET', 'ev\x1b[31mil', '1')
    assert.ok(!(await run()).out.includes('users'))
    const { status, out } = await run('--names')
    assert.equal(status, 0)
    for (const line of ['session:012345…  no ttl', 'sess:012345…  no ttl', 'app:012345…  no ttl', 'ev?[31mil  no ttl'])
      assert.ok(out.includes(`\n${line}\n`), `${line} in ${out}`)
    assert.match(out, /\napi:users {2}\d+\n/)
    assert.ok(!out.includes('0123456') && !out.includes('\x1b'))
    const { names } = await json('--names')
    assert.deepEqual(names.map(({ name }) => name).sort()[0], 'api:users')
    assert.ok(names.every(({ name }) => !name.includes('0123456')))
  })
})

describe('a user with few rights', () => {
  test('counts what it may list', async () => {
    await fill('api:', 3)
    await server.command('ACL', 'SETUSER', 'bob', 'on', `>${WRONG}`, '~*', '+scan', '+ping', '+select')
    const words = ['keys', '--timeout', '60', '--url', `redis://127.0.0.1:${server.port}`]
    const login = { env: { REDIS_USERNAME: 'bob', REDIS_PASSWORD: WRONG } }
    const { keys, total, prefixes } = await usageJson(words, login)
    assert.deepEqual([keys, total, prefixes[0].unknownTtl, prefixes[0].memory], [3, null, 3, null])
    assert.match((await usage(words, login)).out, /\napi: +3 +\? +- +- +\?\n\nall 3 keys\n$/)
    await server.command('ACL', 'SETUSER', 'bob', '-scan')
    assert.match(await fails(words, login), /; let the user run it/)
  })
})

test('a server that cannot be used ends with 1 and says what to do', async (t) => {
  assert.match(
    await fails(['keys', '--url', `redis://127.0.0.1:${await freePort()}`]),
    /nothing listens .*; start the server/,
  )
  assert.match(await fails(['keys', '--url', 'memory:']), /the memory of each process.*; set REDIS_URL/)
  const silent = await fakeServer()
  t.after(() => silent.close())
  assert.match(await fails(['keys', '--url', silent.url, '--timeout', '2']), /--timeout/)
})

test('a wrong command line ends with 2, and repeats nothing', async () => {
  for (const words of [
    ['a*', 'b*'],
    ['--limit', '0'],
    ['--limit', 'many'],
    ['--prefix', ''],
    [`redis://:${PASSWORD}@host`],
    [`--url`],
    ['--state', PASSWORD],
  ]) {
    const { status, out, err } = await usage(['keys', ...words])
    assert.deepEqual([status, out], [2, ''], `${words}: ${out}${err}`)
    assert.match(err, /See cinnabar keys --help/)
  }
  assert.match((await usage(['keys', '--help'])).out, /--names/)
})
