// `cinnabar top` against real servers, once and on a terminal.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { JobQueue, RedisService } from 'cinnabar'

import { startCluster } from '../support/cluster.mjs'
import { fakeServer } from '../support/fake-server.mjs'
import { freePort } from '../support/processes.mjs'
import { startRedis } from '../support/redis.mjs'
import { PASSWORD, fails, onTerminal, usage, usageJson } from './support.mjs'

const env = { REDIS_PASSWORD: PASSWORD }
const [ENTER, LEAVE] = ['\x1b[?1049h', '\x1b[?1049l']

let server, service
before(async () => {
  server = await startRedis({ password: PASSWORD, args: ['--requirepass', PASSWORD, '--maxmemory', '100mb'] })
  service = new RedisService({ url: server.url })
  await service.set('key', 'value')
})
after(async () => {
  await service.disconnect()
  await server.stop()
})

const at = () => ['--timeout', '60', '--url', `redis://127.0.0.1:${server.port}`]

/** Runs `work` while another one reads a key again and again. */
async function whileReading(work) {
  let isEnding = false
  const reading = (async () => {
    while (!isEnding) await service.get('key')
  })()
  try {
    return await work()
  } finally {
    isEnding = true
    await reading
  }
}

describe('one interval', () => {
  test('as JSON', async () => {
    await new JobQueue('mails', { service }).add('welcome', {})
    const words = ['top', '--interval', '0.5', '--queue', 'mails', '--queue', 'others', ...at()]
    const view = await whileReading(() => usageJson(words, { env }))
    assert.deepEqual(Object.keys(view), ['target', 'at', 'intervalMs', 'server', 'ping', 'commands', 'queues'])
    assert.equal(view.target, `127.0.0.1:${server.port}`)
    assert.ok(view.intervalMs >= 500)
    const { product, version, role, port, primaries, hitRate, maxMemory, usedMemory, clients } = view.server
    assert.ok(product && version)
    assert.deepEqual([role, port, primaries], ['primary', server.port, null])
    assert.equal(maxMemory, 100 * 1024 * 1024)
    // Counting jobs reads keys that do not exist.
    assert.ok(hitRate > 0.5 && hitRate <= 1, `${hitRate}`)
    assert.ok(usedMemory > 0 && clients >= 2 && view.server.opsPerSecond > 0)
    assert.deepEqual([view.server.evictedPerSecond, view.server.expiredPerSecond], [0, 0])
    assert.ok(view.ping.count >= 1 && view.ping.p50Ms > 0 && view.ping.p99Ms >= view.ping.p50Ms)
    const rates = view.commands.map(({ perSecond }) => perSecond)
    assert.deepEqual(
      rates,
      rates.toSorted((a, b) => b - a),
    )
    const get = view.commands.find(({ name }) => name === 'get')
    assert.ok(get.perSecond > 0 && get.meanMicroseconds >= 0 && get.busy >= 0 && get.busy < 1)
    const none = { ready: 0, delayed: 0, active: 0, done: 0, dead: 0 }
    assert.deepEqual(view.queues, [
      { queue: 'mails', counts: { ...none, ready: 1 }, paused: false },
      { queue: 'others', counts: none, paused: false },
    ])
  })

  test('as text, within 80 columns', async () => {
    const url = `redis://127.0.0.1:${server.port}`
    const words = ['top', url, '--timeout', '60', '--interval', '0.5', '--queue', 'mails']
    const { status, out, err } = await whileReading(() => usage(words, { env }))
    assert.deepEqual([status, err], [0, ''])
    assert.match(out, /^\w+ [\d.]+, primary, up \d+ \w+, at 127\.0\.0\.1:\d+\n/)
    assert.match(out, /\nclients \d+ {3}memory [\d.]+ .?B of 105 MB\n/)
    assert.match(out, /\ncalls\/s [\d,.]+ {3}hit rate [\d.]+ % {3}expired\/s 0 {3}evicted\/s 0\n/)
    assert.match(out, /\nping p50 [\d.]+ (µs|ms|s) {3}p99 [\d.]+ (µs|ms|s) {3}\(\d+ in the last minute\)\n/)
    assert.match(out, /\nqueue mails {3}ready 1 /)
    assert.match(out, /\ncommands +per second +busy +slowest +per call\n/)
    assert.match(out, /\nget +[\d,.]+ +[\d.]+ % {2}/)
    assert.ok(out.split('\n').every((line) => line.length <= 80) && !out.includes('\x1b'))
  })

  test('of one primary of a cluster', async () => {
    const cluster = await startCluster()
    const { server, commands } = await usageJson(['top', '--interval', '0.2', '--timeout', '60', '--url', cluster.url])
    assert.equal(server.primaries, 3)
    assert.ok(cluster.nodes.some(({ port }) => port === server.port))
    assert.ok(commands.some(({ name }) => name === 'ping'))
    const { out } = await usage(['top', '--interval', '0.2', '--timeout', '60', '--url', cluster.url])
    assert.match(out, /port \d+, one of 3 primaries/)
    await cluster.close()
  })

  test('of a server that says little of itself, or whose counters were reset', async (t) => {
    const bulk = (text) => `$${text.length}\r\n${text}\r\n`
    let calls = 1000
    const reset = await fakeServer(([name]) => {
      if (name !== 'INFO') return undefined
      const text = `redis_version:6.2.0\r\ntotal_commands_processed:${--calls}\r\ncmdstat_get:calls=${calls},usec=${calls}\r\n`
      return bulk(text)
    })
    t.after(() => reset.close())
    const { server, commands } = await usageJson(['top', '--interval', '0.2', '--timeout', '60', '--url', reset.url])
    assert.deepEqual(
      [server.version, server.clients, server.usedMemory, server.opsPerSecond],
      ['6.2.0', null, null, null],
    )
    assert.deepEqual(commands, [])
    const { status, out } = await usage(['top', '--interval', '0.2', '--timeout', '60', '--url', reset.url])
    assert.equal(status, 0)
    assert.match(out, /\nclients - {3}memory -\ncalls\/s - {3}hit rate - /)
    assert.match(out, /\nthe server counts no commands\n$/)
  })
})

describe('on a terminal', () => {
  const begin = (words, options) => onTerminal(['top', '--interval', '0.2', ...words], { env, ...options })

  for (const [name, key] of [
    ['q', 'q'],
    ['Ctrl-C', '\x03'],
  ]) {
    test(`it is drawn again and again until ${name}`, async () => {
      const screen = begin(at())
      await screen.shows(/\(\d+ in the last minute\)(.*\(\d+ in the last minute\)){3}/s)
      assert.ok(!screen.out().includes(LEAVE))
      // The arrow keys are no end.
      screen.write('\x1b[A')
      screen.write(key)
      assert.equal(await screen.ended, 0)
      const out = screen.out()
      assert.ok(out.startsWith(ENTER) && out.endsWith(`\x1b[?25h${LEAVE}`), JSON.stringify(out.slice(-200)))
      assert.match(out, /\x1b\[2mcommands +per second/)
    })
  }

  test('it needs no colours, and fits into few columns', async () => {
    const screen = begin(at(), { env: { ...env, NO_COLOR: '1' }, columns: 40 })
    await screen.shows(/commands +per second/)
    screen.write('q')
    assert.equal(await screen.ended, 0)
    assert.ok(!/\x1b\[\d*m/.test(screen.out()))
    const lines = screen.out().split(/\r*\n/)
    for (const line of lines) assert.ok(line.replaceAll(/\x1b\[[?\d]*\w/g, '').length <= 80, JSON.stringify(line))
  })

  test('once, or where the terminal knows no control sequences', async () => {
    for (const [words, more] of [
      [['--once'], {}],
      [[], { TERM: 'dumb' }],
    ]) {
      const screen = begin([...words, ...at()], { env: { ...env, ...more } })
      assert.equal(await screen.ended, 0)
      assert.match(screen.out(), /calls\/s \d/)
      assert.ok(!screen.out().includes(ENTER))
    }
  })

  test('it says when the server is down, and continues once it is back', async () => {
    const own = await startRedis()
    const screen = begin(['--url', own.url, '--timeout', '60'], { env: {} })
    await screen.shows(/calls\/s \d/)
    await own.kill()
    await screen.shows(/\x1b\[31m[^\n]*(connect|connection)/)
    await own.start()
    // A later frame without the problem, and with rates again.
    await screen.shows(/\x1b\[31m[^]*\x1b\[H(?![^]*\x1b\[31m)[^]*calls\/s \d/)
    screen.write('q')
    assert.equal(await screen.ended, 0)
    await own.stop()
  })
})

test('a server that cannot be used ends with 1 and says what to do', async (t) => {
  assert.match(await fails(['top', `redis://127.0.0.1:${await freePort()}`]), /nothing listens .*; start the server/)
  assert.match(await fails(['top', 'memory:']), /the memory of each process.*; set REDIS_URL/)
  const silent = await fakeServer()
  t.after(() => silent.close())
  assert.match(await fails(['top', silent.url, '--timeout', '2']), /--timeout/)
  const denying = await fakeServer(([name]) => (name === 'PING' ? undefined : `-NOPERM no permission to run it\r\n`))
  t.after(() => denying.close())
  assert.match(await fails(['top', denying.url, '--timeout', '60']), /; let the user run it/)
})

test('a wrong command line ends with 2, and repeats nothing', async () => {
  for (const words of [
    ['redis://a', 'redis://b'],
    ['redis://a', '--url', `redis://:${PASSWORD}@b`],
    ['--interval', '0'],
    ['--interval', '0.01'],
    ['--interval', PASSWORD],
    ['--queue'],
  ]) {
    const { status, out, err } = await usage(['top', ...words])
    assert.deepEqual([status, out], [2, ''], `${words}: ${out}${err}`)
    assert.match(err, /See cinnabar top --help/)
  }
  assert.match((await usage(['top', '--help'])).out, /--interval/)
})
