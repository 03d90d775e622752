// `cinnabar doctor` against servers with one fault each: it names the fault and what to do.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { program } from '../../scripts/system.mjs'
import { root } from '../helpers.mjs'
import { fakeServer } from '../support/fake-server.mjs'
import { freePort, temporaryFolder } from '../support/processes.mjs'
import { startRedis } from '../support/redis.mjs'
import { PASSWORD, WRONG, codesOf, doctor, examine, finding, usage } from './support.mjs'

describe('a server without a fault', () => {
  let server
  before(async () => (server = await startRedis({ password: PASSWORD, args: ['--requirepass', PASSWORD] })))
  after(() => server.stop())

  test('has no errors and no warnings, as text and as JSON', async () => {
    const { code, report } = await examine([server.url])
    assert.equal(code, 0)
    assert.deepEqual([report.exitCode, report.counts.error], [0, 0])
    assert.deepEqual(Object.keys(report), ['cinnabar', 'target', 'server', 'exitCode', 'counts', 'findings'])
    assert.equal(report.target, `127.0.0.1:${server.port}`)
    assert.ok(report.server.product && report.server.version)
    for (const { check, code, level, found, remedy } of report.findings) {
      assert.ok([check, code, found].every((text) => typeof text === 'string' && text && !text.includes('\n')))
      assert.ok(level === 'ok' ? remedy === null : level === 'note' || remedy, `${code} has no remedy`)
    }
    for (const check of ['settings', 'tcp', 'login', 'server', 'topology', 'keys', 'rights', 'latency', 'clock']) {
      assert.ok(
        report.findings.some((finding) => finding.check === check),
        check,
      )
    }
    const text = await doctor([server.url])
    assert.equal(text.status, 0)
    assert.match(text.out, /✔ login +connected and logged in\n/)
    assert.match(text.out, /\n0 errors, \d+ warnings?, \d+ notes?\n$/)
    assert.ok(!text.out.includes('\x1b'), 'colours in a pipe')
  })

  test('is found by the environment, in the same way as by the product', async () => {
    const env = { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(server.port), REDIS_PASSWORD: PASSWORD }
    const { code, report } = await examine([], { env })
    assert.equal(code, 0)
    assert.equal(report.target, `127.0.0.1:${server.port}`)
    // The password of the environment is also that of a URL without one.
    const url = `redis://127.0.0.1:${server.port}`
    assert.equal((await examine([url], { env: { REDIS_PASSWORD: PASSWORD } })).code, 0)
  })

  for (const [what, login, code, remedy] of [
    ['a wrong password', `:${WRONG}@`, 'password-wrong', /REDIS_PASSWORD/],
    ['an unknown user', `bob:${WRONG}@`, 'password-wrong', /REDIS_USERNAME/],
    ['no password', '', 'password-missing', /REDIS_PASSWORD/],
  ]) {
    test(`is not reached with ${what}`, async () => {
      const { code: exit, report } = await examine([`redis://${login}127.0.0.1:${server.port}`])
      assert.equal(exit, 1)
      assert.match(finding(report, code, 'error').remedy, remedy)
    })
  }

  test('has no password for a user without one', async () => {
    const open = await startRedis()
    const { code, report } = await examine([open.url.replace('redis://', `redis://:${WRONG}@`)])
    assert.equal(code, 1)
    assert.match(finding(report, 'password-unneeded', 'error').remedy, /remove the password/)
    await open.stop()
  })

  test('has no database above its number', async () => {
    const { code, report } = await examine([`${server.url}/99`])
    assert.equal(code, 1)
    const { found, remedy } = finding(report, 'database', 'error')
    assert.match(found, /99/)
    assert.match(remedy, /"databases"/)
  })

  test('is reached by TLS nowhere', async () => {
    const { code, report } = await examine([server.url.replace('redis:', 'rediss:')])
    assert.equal(code, 1)
    assert.match(finding(report, 'tls-to-plain', 'error').remedy, /redis:\/\/ in place of rediss:\/\//)
    const env = { REDIS_TLS: 'true', REDIS_URL: server.url }
    finding((await examine([], { env })).report, 'tls-to-plain', 'error')
  })
})

describe('settings', () => {
  test('that are invalid are a finding and no stack', async () => {
    for (const url of [`http://:${PASSWORD}@host`, `redis://:${PASSWORD}@host:port`, `${PASSWORD}`, 'redis://a/x']) {
      const { code, report } = await examine([url])
      assert.equal(code, 1)
      assert.ok(finding(report, 'settings-invalid', 'error').remedy)
      const text = await doctor([], { env: { REDIS_URL: url } })
      assert.equal(text.status, 1)
      assert.match(text.out, /REDIS_URL/)
      assert.doesNotMatch(text.out + text.err, /\n +at /)
    }
    const { report } = await examine(['redis://127.0.0.1:1'], { env: { REDIS_TIMEOUT: '5000' } })
    assert.match(finding(report, 'settings-invalid', 'error').found, /REDIS_TIMEOUT is in seconds/)
  })

  test('that name no server are a warning, and one that is ignored too', async () => {
    const none = await examine([])
    assert.equal(none.code, 0)
    assert.match(finding(none.report, 'settings-none', 'warning').remedy, /REDIS_URL/)
    assert.equal((await examine(['--strict'])).code, 1)
    assert.equal((await examine(['memory:'])).report.findings[0].level, 'ok')
    const { report } = await examine(['redis://127.0.0.1:1/?family=6'])
    assert.match(finding(report, 'settings-ignored', 'warning').found, /family/)
  })
})

describe('an address', () => {
  test('where nothing listens', async () => {
    const { code, report } = await examine([`redis://127.0.0.1:${await freePort()}`])
    assert.equal(code, 1)
    assert.match(finding(report, 'nothing-listens', 'error').remedy, /start the server/)
    const socket = await examine(['unix:/tmp/cinnabar-doctor-no-such.sock'])
    assert.equal(socket.code, 1)
    assert.match(finding(socket.report, 'no-socket', 'error').remedy, /unixsocket/)
  })

  test('that does not resolve', async () => {
    const { code, report } = await examine(['redis://cinnabar.invalid'])
    assert.equal(code, 1)
    // A resolver without a network says that it cannot say.
    const found = report.findings.find(({ check }) => check === 'dns')
    assert.ok(['host-unknown', 'dns-silent'].includes(found.code), JSON.stringify(found))
    assert.match(found.found, /cinnabar\.invalid/)
    assert.ok(found.remedy)
  })

  test('that accepts connections and never replies', async (t) => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await new Promise((resolve) => silent.once('listening', resolve))
    t.after(() => silent.close())
    for (const scheme of ['redis', 'rediss']) {
      const { code, report } = await examine([`${scheme}://127.0.0.1:${silent.address().port}`, '--timeout', '1'])
      assert.equal(code, 1)
      const { found, remedy } = finding(report, 'no-reply', 'error')
      assert.match(found, /did not reply (within 1 s|in time)/)
      assert.match(remedy, /--timeout/)
    }
  })
})

describe('a server that stores what it should not lose', () => {
  let server
  before(async () => {
    server = await startRedis({ args: ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'] })
  })
  after(() => server.stop())

  test('evicts any key', async () => {
    const { code, report } = await examine([server.url])
    assert.equal(code, 0)
    const { found, remedy } = finding(report, 'eviction', 'warning')
    assert.match(found, /allkeys-lru.*sessions.*locks.*queues/)
    assert.match(remedy, /maxmemory-policy noeviction/)
    assert.equal((await examine([server.url, '--strict'])).code, 1)
    assert.equal((await examine([server.url, '--features', 'locks,queues'])).code, 1)
    assert.ok(!codesOf((await examine([server.url, '--features', 'cache'])).report).includes('eviction'))
  })

  test('evicts keys with a ttl, or would', async () => {
    await server.command('CONFIG', 'SET', 'maxmemory-policy', 'volatile-lru')
    const { report } = await examine([server.url, '--features', 'sessions,queues'])
    assert.match(finding(report, 'eviction', 'warning').found, /sessions \([^)]*\)$/)
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
    const unbounded = (await examine([server.url])).report
    finding(unbounded, 'eviction-possible', 'note')
    assert.match(finding(unbounded, 'memory-unlimited', 'note').remedy, /maxmemory/)
  })

  test('is nearly full', async () => {
    const used = Number(/used_memory:(\d+)/.exec(await server.command('INFO', 'memory'))[1])
    await server.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
    await server.command('CONFIG', 'SET', 'maxmemory', String(used))
    const { code, report } = await examine([server.url])
    assert.equal(code, 0)
    assert.match(finding(report, 'memory-full', 'warning').remedy, /raise maxmemory/)
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
  })

  test('has keys without a ttl, and jobs without an append-only file', async () => {
    await server.command('SET', 'session:a-secret-name', '{}')
    await server.command('SET', 'session:another', '{}', 'EX', '100')
    await server.command('SET', 'api:b', '1', 'EX', '100')
    await server.command('SET', 'queue:{queue:mail}:meta', '1')
    const { code, out, report } = await examine([server.url])
    assert.equal(code, 0)
    const { found, remedy } = finding(report, 'keys-without-ttl', 'warning')
    assert.match(found, /^1 of 2 keys of sessions /)
    assert.match(remedy, /EXPIRE/)
    assert.ok(!out.includes('a-secret-name'))
    assert.match(finding(report, 'persistence-off', 'note').remedy, /appendonly/)
    await server.command('FLUSHALL')
  })
})

describe('a server that refuses', () => {
  const refuse = (text) => () => `-${text}\r\n`
  const bulk = (text) => `$${text.length}\r\n${text}\r\n`

  for (const [what, reply, code, remedy] of [
    ['in protected mode', refuse('DENIED Redis is running in protected mode'), 'protected-mode', /requirepass/],
    ['while it loads', refuse('LOADING Redis is loading the dataset in memory'), 'loading', /wait/],
    ['while a script runs', refuse('BUSY Redis is busy running a script'), 'busy', /SCRIPT KILL/],
    ['more clients', refuse('ERR max number of clients reached'), 'too-many-clients', /maxclients/],
    ['to speak Redis', () => 'HTTP/1.1 400 Bad Request\r\n\r\n', 'not-redis', /port/],
  ]) {
    test(what, async (t) => {
      const server = await fakeServer(reply)
      t.after(() => server.close())
      const { code: exit, report } = await examine([server.url])
      assert.equal(exit, 1)
      assert.match(finding(report, code, 'error').remedy, remedy)
    })
  }

  test('what is new, being old, full of clients and unable to save', async (t) => {
    const info = 'redis_version:5.0.14\r\nmodule:name=ReJSON,ver=20008\r\nconnected_clients:95\r\nmaxclients:100\r\n'
    const failing = 'rdb_last_bgsave_status:err\r\n'
    const server = await fakeServer(([name]) => {
      if (name === 'PING') return '+PONG\r\n'
      return name === 'INFO' ? bulk(info + failing) : '-ERR unknown command\r\n'
    })
    t.after(() => server.close())
    const { code, report } = await examine([server.url])
    assert.equal(code, 1)
    assert.match(finding(report, 'version', 'error').found, /Redis 5\.0\.14, modules ReJSON is older than Redis 6\.2/)
    assert.match(finding(report, 'clients', 'warning').found, /95 of at most 100/)
    assert.match(finding(report, 'persistence-fails', 'error').remedy, /disk/)
    assert.equal(finding(report, 'failed', 'warning').check, 'keys')
  })

  test('to reply once it is connected', async (t) => {
    const server = await fakeServer()
    t.after(() => server.close())
    const { code, report } = await examine([server.url, '--timeout', '2'])
    assert.equal(code, 1)
    assert.match(finding(report, 'no-reply', 'error').found, /no reply to INFO/)
    assert.equal(codesOf(report).filter((code) => code === 'no-reply').length, 1)
  })
})

test('a clock that is ahead', async () => {
  const folder = temporaryFolder('clock')
  const [library, offset] = [join(folder, 'clock.so'), join(folder, 'offset')]
  const source = fileURLToPath(new URL('../../tests/faults/clock.c', import.meta.url))
  const compiler = program('cc', 'gcc', 'clang')
  assert.ok(compiler, 'cc not found: Rust needs one too')
  assert.equal(spawnSync(compiler, ['-shared', '-fPIC', '-O1', '-o', library, source]).status, 0)
  const seconds = Buffer.alloc(8)
  seconds.writeBigInt64LE(90n)
  writeFileSync(offset, seconds)
  const server = await startRedis({ env: { LD_PRELOAD: library, FAULTS_CLOCK: offset } })
  const { code, report } = await examine([server.url])
  assert.equal(code, 0)
  const { found, remedy } = finding(report, 'clock', 'warning')
  assert.match(found, /(89|90)(\.\d)? s ahead/)
  assert.match(remedy, /NTP/)
  await server.stop()
})

test('a wrong command line ends with 2, and repeats nothing', async () => {
  for (const words of [
    [],
    ['frobnicate'],
    ['doctor', 'redis://a', `redis://:${PASSWORD}@b`],
    ['doctor', `--password=${PASSWORD}`],
    ['doctor', '--timeout', PASSWORD],
    ['doctor', '--timeout', '0'],
    ['doctor', '--features', 'sesions'],
    ['doctor', '--ca', '/no/such/file'],
    ['doctor', '--features'],
    [`redis://:${PASSWORD}@host`],
  ]) {
    const { status, out, err } = await usage(words)
    assert.equal(status, 2, `${words}: ${out}${err}`)
    assert.equal(out, '')
    assert.ok(err.length > 0 && !err.includes(PASSWORD), err)
  }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  assert.deepEqual((await usage(['--version'])).out, `${version}\n`)
  assert.match((await usage(['--help'])).out, /doctor/)
  assert.match((await usage(['doctor', '--help'])).out, /--features/)
})
