// Every documented option of a service changes something: each test has two services that differ in one option only, and shows
// that they do not do the same. What options refuse is in options.spec.mjs.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { RedisService, healthCheck } from 'cinnabar'

import { startProxy } from '../../tests/faults/proxy.mjs'
import { rawClient, refuses, root, runJson, until } from '../helpers.mjs'
import { freePort, startRedis } from '../support/engines.mjs'
import { startSentinels } from '../support/sentinel.mjs'
import { declarations } from '../support/types.mjs'

/** Options whose effect other files show: where, and what must be found there. */
const ELSEWHERE = {
  stacks: ['__test__/errors/async-context.spec.mjs', /stacks: true/],
  'tls.ca': ['tests/faults/scenarios/13-tls.mjs', /\bca\b/],
  'tls.cert': ['tests/faults/scenarios/13-tls.mjs', /\bcert\b/],
  'tls.key': ['tests/faults/scenarios/13-tls.mjs', /\bkey\b/],
  'tls.fingerprint': ['__test__/connection/certificates.spec.mjs', /\bfingerprint\b/],
  'tls.rejectUnauthorized': ['__test__/connection/certificates.spec.mjs', /\brejectUnauthorized\b/],
  'tls.servername': ['tests/faults/scenarios/13-tls.mjs', /\bservername\b/],
}
const shown = new Set(Object.keys(ELSEWHERE))

const server = await startRedis()
const services = []
after(() => Promise.all(services.map((service) => service.disconnect())))

/** A test of one option. What it makes with `make` is disconnected at the end. */
function effect(option, run) {
  shown.add(option)
  test(`${option} has its effect`, run)
}

function make(options) {
  const service = new RedisService({ log: false, ...options })
  services.push(service)
  return service
}

/** A service with these options through a proxy of its own, connected. */
async function through(options) {
  const proxy = await startProxy({ target: server.port })
  const service = make({ url: proxy.url, ...options })
  await service.connect()
  return { proxy, service }
}

/** How a call ends, and after how long; with `reported`, also how late a timer of that time is meanwhile. */
async function ending(call, reported) {
  const from = performance.now()
  // The lateness of a timer on this machine now is the measure, so it has to be real.
  const timer = reported === undefined ? 0 : sleep(reported).then(() => performance.now() - from - reported)
  const error = await call.then(
    () => undefined,
    (error) => error,
  )
  const ms = performance.now() - from
  return { error, code: error?.code, message: error?.message, ms, late: Math.max(0, await timer) }
}

/** Asserts that something took as long as it should, as exactly as a timer keeps time on this machine now. */
function assertTook({ ms, late }, reported) {
  const most = reported + late + 350
  assert.ok(ms >= reported - 5 && ms < most, `it took ${Math.round(ms)} ms, not ${reported} to ${Math.round(most)}`)
}

const whoAmI = async (service) => (await rawClient(service)).sendCommand(['ACL', 'WHOAMI'])
const breakerOf = async (service) => (await healthCheck(service, { timeoutMs: 50 })).breaker.state

describe('where a server is and who asks', { concurrency: true }, () => {
  effect('url', async () => {
    const proxy = await startProxy({ target: server.port })
    await make({ url: proxy.url }).get('k')
    assert.equal((await proxy.counters()).ever, 1)
  })

  effect('host', async () => {
    const { port } = server
    await make({ host: '127.0.0.1', port }).get('k')
    const { code, message } = await ending(make({ host: 'nowhere.invalid', port }).get('k'))
    assert.equal(code, 'E_UNAVAILABLE')
    assert.match(message, /nowhere\.invalid/)
  })

  effect('port', async () => {
    await make({ host: '127.0.0.1', port: server.port }).get('k')
    const port = await freePort()
    const { message } = await ending(make({ host: '127.0.0.1', port }).get('k'))
    assert.match(message, new RegExp(`127\\.0\\.0\\.1:${port}`))
  })

  effect('db', async () => {
    const key = randomUUID()
    await make({ url: server.url, db: 3 }).set(key, 'v')
    assert.equal(await make({ url: server.url, db: 4 }).get(key), null)
    assert.equal(await make({ url: `${server.url}/4`, db: 3 }).get(key), 'v')
  })

  const password = randomUUID()
  const added = server.command('ACL', 'SETUSER', 'app', 'on', `>${password}`, '~*', '&*', '+@all')

  effect('username', async () => {
    await added
    assert.equal(await whoAmI(make({ url: server.url })), 'default')
    assert.equal(await whoAmI(make({ url: server.url, username: 'app', password })), 'app')
    const other = new URL(server.url)
    other.username = 'unknown'
    assert.equal(await whoAmI(make({ url: other.href, username: 'app', password })), 'app')
  })

  effect('password', async () => {
    await added
    const url = `redis://app:wrong@127.0.0.1:${server.port}`
    await refuses(make({ url }).get('k'), 'E_AUTH')
    assert.equal(await whoAmI(make({ url, password })), 'app')
  })

  effect('credentials', async () => {
    await added
    assert.equal(await whoAmI(make({ url: server.url, credentials: () => ({ username: 'app', password }) })), 'app')
  })

  effect('tls', async () => {
    // A server that speaks no TLS takes a handshake for nonsense. What each of its parts does: scenario 13 of `npm run faults`.
    const { code, message } = await ending(make({ url: server.url, tls: true, connectTimeoutMs: 500 }).get('k'))
    assert.equal(code, 'E_UNAVAILABLE', message)
    assert.equal(await make({ url: server.url, tls: false }).get('k'), null)
  })
})

describe('who asks the sentinels', { concurrency: true }, () => {
  const password = randomUUID()
  const started = startSentinels({ replicas: 0, sentinels: 1, sentinelPassword: password })
  after(async () => (await started).close())

  effect('sentinel.password', async () => {
    const { url } = await started
    await make({ url, sentinel: { password } }).set('k', 'v')
    const { error } = await ending(make({ url, sentinel: { password: 'wrong' } }).get('k'))
    assert.match(error.message, /WRONGPASS|NOAUTH/)
  })

  effect('sentinel.username', async () => {
    const { url, sentinels } = await started
    const own = randomUUID()
    await sentinels[0].command('ACL', 'SETUSER', 'watcher', 'on', `>${own}`, '~*', '&*', '+@all')
    await make({ url, sentinel: { username: 'watcher', password: own } }).set('k', 'v')
    const { error } = await ending(make({ url, sentinel: { username: 'unknown', password: own } }).get('k'))
    assert.match(error.message, /WRONGPASS|NOAUTH/)
  })
})

describe('how long and how often', { concurrency: true }, () => {
  effect('timeoutMs', async () => {
    for (const timeoutMs of [150, 700]) {
      const { proxy, service } = await through({ timeoutMs, retryAttempts: 0 })
      await proxy.hold()
      const ended = await ending(service.get('k'), timeoutMs)
      assert.equal(ended.code, 'E_TIMEOUT')
      assertTook(ended, timeoutMs)
    }
  })

  effect('connectTimeoutMs', async () => {
    for (const connectTimeoutMs of [150, 700]) {
      const proxy = await startProxy({ target: server.port })
      await proxy.acceptSilent()
      const ended = await ending(make({ url: proxy.url, connectTimeoutMs }).connect(), connectTimeoutMs)
      assert.equal(ended.code, 'E_UNAVAILABLE')
      assertTook(ended, connectTimeoutMs)
    }
  })

  effect('connectWaitMs', async () => {
    for (const connectWaitMs of [150, 700]) {
      const proxy = await startProxy({ target: server.port })
      await proxy.acceptSilent()
      const ended = await ending(make({ url: proxy.url, connectWaitMs }).get('k'), connectWaitMs)
      assert.equal(ended.code, 'E_UNAVAILABLE')
      assertTook(ended, connectWaitMs)
    }
  })

  effect('retryAttempts', async () => {
    for (const [retryAttempts, code] of [
      [0, 'E_UNAVAILABLE'],
      [1, 'E_UNAVAILABLE'],
      [2, undefined],
    ]) {
      const { proxy, service } = await through({ retryAttempts })
      await proxy.cutReply({ match: /^GET/, times: 2 })
      const outcome = await ending(service.get('k'))
      assert.equal(outcome.code, code, `${retryAttempts} attempts: ${outcome.message}`)
    }
  })

  /** How many connections two services have tried by now, where none comes about; with these options of `reconnect`. */
  async function dials(...both) {
    const proxies = await Promise.all(
      both.map(async (reconnect) => {
        const proxy = await startProxy({ target: server.port })
        await proxy.acceptReset()
        await ending(make({ url: proxy.url, reconnect, breaker: false }).get('k'))
        return proxy
      }),
    )
    return () => Promise.all(proxies.map(async (proxy) => (await proxy.counters()).ever))
  }

  effect('reconnect.firstMs', async () => {
    // 1 + 2 + 4 + … + 64 ms are 127; of waits of up to 20 s, hardly one is over by then.
    const tried = await dials({ firstMs: 1, longestMs: 20_000 }, { firstMs: 20_000, longestMs: 20_000 })
    await until('the first has tried more often', async () => {
      const [early, late] = await tried()
      return early >= late + 3
    })
  })

  effect('reconnect.longestMs', async () => {
    const tried = await dials({ firstMs: 1, longestMs: 1 }, { firstMs: 1, longestMs: 20_000 })
    await until('the first has tried more often', async () => {
      const [often, seldom] = await tried()
      return often >= 20 && often >= 2 * seldom
    })
  })

  effect('keepAliveMs', async () => {
    const asked = async (keepAliveMs) => {
      const { proxy, service } = await through({ keepAliveMs })
      await service.get('k')
      const before = (await proxy.counters()).frames.requests
      await sleep(1200)
      return (await proxy.counters()).frames.requests - before
    }
    const [often, never] = await Promise.all([asked(100), asked(60_000)])
    assert.ok(often >= 2 && never === 0, `${often} and ${never} PINGs`)
  })
})

describe('how much', { concurrency: true }, () => {
  effect('driver', async () => {
    // Only fred cannot run it.
    const code = async (driver) => {
      const { service } = await through({ driver })
      return service
        .getClient()
        .sendCommand(['FCALL', 'missing', '0'])
        .catch((error) => error.code)
    }
    assert.deepEqual(await Promise.all([code('native'), code('fred')]), ['E_SERVER', 'E_UNSUPPORTED'])
  })

  effect('poolSize', async () => {
    const most = async (poolSize) => {
      const { proxy, service } = await through({ poolSize })
      await proxy.delay({ ms: 60 })
      const calls = []
      for (let i = 0; i < 60; i++) {
        // Calls on one key would share a connection.
        calls.push(service.get(`k:${i}`))
        await sleep(5)
      }
      await Promise.all(calls)
      return (await proxy.counters()).ever
    }
    assert.deepEqual(await Promise.all([most(1), most(2), most(3)]), [1, 2, 3])
  })

  effect('maxQueuedCalls', async () => {
    const { proxy, service } = await through({ maxQueuedCalls: 10 })
    await proxy.hold()
    const waiting = [service.get('k')]
    await sleep(20)
    for (let i = 1; i < 10; i++) waiting.push(service.get('k'))
    await sleep(20)
    await refuses(service.get('k'), 'E_BACKPRESSURE', /maxQueuedCalls = 10,/)
    await proxy.heal()
    await Promise.all(waiting)
    await service.get('k')
  })

  effect('maxQueuedBytes', async () => {
    const value = 'x'.repeat(600_000)
    for (const [maxQueuedBytes, code] of [
      [1_000_000, 'E_BACKPRESSURE'],
      [1_300_000, undefined],
    ]) {
      const { proxy, service } = await through({ maxQueuedBytes })
      await proxy.hold()
      const first = service.set('k', value)
      await sleep(50)
      const second = ending(service.set('k', value))
      await sleep(50)
      await proxy.heal()
      assert.equal(await first, 'OK')
      assert.equal((await second).code, code)
    }
  })

  effect('maxBytes', async () => {
    for (const [maxBytes, kept] of [
      [1 << 20, false],
      [32 << 20, true],
    ]) {
      const service = make({ url: `memory:${randomUUID()}`, maxBytes })
      for (let i = 0; i < 40; i++) await service.set(`k${i}`, 'x'.repeat(100_000), { EX: 100 })
      assert.equal((await service.get('k0')) !== null, kept, `${maxBytes} bytes`)
      assert.notEqual(await service.get('k39'), null)
    }
  })
})

describe('the breaker', { concurrency: true }, () => {
  const refusing = /^the circuit breaker of .* is open because too many calls failed/
  const trying = /is still not responding/

  /** A service whose server listens no more; each call fails at once. */
  async function away(breaker) {
    const service = make({ host: '127.0.0.1', port: await freePort(), breaker })
    return { service, fail: async (count) => (await repeat(count, () => ending(service.get('k')))).at(-1)?.message }
  }

  /** Calls one after the other: those of one moment would be one round. */
  async function repeat(count, call) {
    const outcomes = []
    for (let i = 0; i < count; i++) outcomes.push(await call())
    return outcomes
  }

  effect('breaker', async () => {
    const [on, off] = await Promise.all([away(undefined), away(false)])
    assert.match(await on.fail(25), refusing)
    assert.doesNotMatch(await off.fail(25), refusing)
  })

  effect('breaker.volume', async () => {
    const [small, large] = await Promise.all([away({ volume: 5 }), away({ volume: 12 })])
    assert.match(await small.fail(6), refusing)
    assert.doesNotMatch(await large.fail(12), refusing)
    assert.match(await large.fail(1), refusing)
  })

  /** A breaker after eight calls that succeeded, `pause` ms, and four that failed. */
  async function afterMixed(breaker, pause = 0) {
    const { proxy, service } = await through({ breaker: { volume: 4, ...breaker }, retryAttempts: 0 })
    await repeat(8, () => service.get('k'))
    await sleep(pause)
    await proxy.refuse()
    await proxy.reset()
    await until('the loss is seen', () => !service.isConnected)
    await repeat(4, () => refuses(service.get('k'), 'E_UNAVAILABLE'))
    return (await ending(service.get('k'))).message
  }

  effect('breaker.errorRate', async () => {
    const [low, high] = await Promise.all([afterMixed({ errorRate: 0.3 }), afterMixed({ errorRate: 0.6 })])
    assert.match(low, refusing)
    assert.doesNotMatch(high, refusing)
  })

  effect('breaker.windowMs', async () => {
    // Earlier results are dropped from the window, or not.
    const [short, long] = await Promise.all([
      afterMixed({ errorRate: 0.6, windowMs: 3000 }, 3500),
      afterMixed({ errorRate: 0.6, windowMs: 60_000 }, 3500),
    ])
    assert.match(short, refusing)
    assert.doesNotMatch(long, refusing)
  })

  effect('breaker.openMs', async () => {
    const [short, long] = await Promise.all([away({ volume: 5, openMs: 200 }), away({ volume: 5, openMs: 60_000 })])
    await Promise.all([short.fail(5), long.fail(5)])
    await sleep(250)
    assert.match(await short.fail(1), trying)
    assert.match(await long.fail(1), refusing)
  })

  effect('breaker.probeTimeoutMs', async () => {
    for (const probeTimeoutMs of [100, 600]) {
      const proxy = await startProxy({ target: server.port })
      await proxy.acceptSilent()
      const breaker = { volume: 1, openMs: 100, probeTimeoutMs }
      const service = make({ url: proxy.url, connectWaitMs: 50, breaker })
      await refuses(service.get('k'), 'E_UNAVAILABLE')
      await sleep(110)
      const ended = await ending(service.get('k'), probeTimeoutMs)
      assert.match(ended.message, trying)
      assertTook(ended, probeTimeoutMs)
    }
  })

  /** Whether a breaker is open after four quick calls and six that took at least 400 ms. */
  async function afterSlow(breaker) {
    const { proxy, service } = await through({ breaker: { volume: 10, ...breaker }, timeoutMs: 4000, poolSize: 1 })
    await repeat(4, () => service.get('k'))
    await proxy.delay({ ms: 400 })
    await repeat(6, () => service.get('k'))
    await proxy.heal()
    return breakerOf(service)
  }

  effect('breaker.slowCallMs', async () => {
    const slowRate = 0.5
    const [short, long] = await Promise.all([
      afterSlow({ slowRate, slowCallMs: 300 }),
      afterSlow({ slowRate, slowCallMs: 3000 }),
    ])
    assert.deepEqual([short, long], ['open', 'closed'])
  })

  effect('breaker.slowRate', async () => {
    const slowCallMs = 300
    const [low, high] = await Promise.all([
      afterSlow({ slowCallMs, slowRate: 0.5 }),
      afterSlow({ slowCallMs, slowRate: 0.9 }),
    ])
    assert.deepEqual([low, high], ['open', 'closed'])
  })
})

describe('what is said', { concurrency: true }, () => {
  effect('onUnavailable', async () => {
    const port = await freePort()
    assert.equal(await make({ host: '127.0.0.1', port, onUnavailable: 'empty' }).get('k'), null)
    await refuses(make({ host: '127.0.0.1', port, onUnavailable: 'throw' }).get('k'), 'E_UNAVAILABLE')
  })

  effect('log', async () => {
    // The console is one for a process.
    const port = await freePort()
    const said = (log) =>
      runJson(
        `import { RedisService } from 'cinnabar'
         const lines = []
         console.warn = (...words) => lines.push(words.join(' '))
         const events = []
         const log = { console: undefined, nothing: false, function: (event) => events.push(event) }['${log}']
         const service = new RedisService({ host: '127.0.0.1', port: ${port}, log })
         for (let i = 0; i < 3; i++) await service.get('k').catch(() => {})
         await service.disconnect()
         console.log(JSON.stringify({ lines, events }))`,
      )
    const [toConsole, toNothing, toFunction] = await Promise.all(['console', 'nothing', 'function'].map(said))
    assert.deepEqual(toNothing, { lines: [], events: [] })
    assert.deepEqual(toFunction.lines, [])
    const [{ at, type, target, message }, ...more] = toFunction.events
    assert.deepEqual([type, target, more], ['down', `127.0.0.1:${port}`, []])
    assert.ok(Math.abs(Date.now() - Date.parse(at)) < 60_000, `${at} is not now`)
    assert.deepEqual(toConsole, { lines: [`cinnabar: ${message}`], events: [] })
  })
})

test('every documented option is among these', () => {
  const names = (type) => {
    const [, body] = new RegExp(`^export interface ${type} \\{\\n(.*?)^\\}`, 'ms').exec(declarations)
    return [...body.matchAll(/^  (\w+)\?:/gm)].map(([, name]) => name)
  }
  const groups = {
    tls: 'TlsOptions',
    sentinel: 'SentinelOptions',
    reconnect: 'ReconnectOptions',
    breaker: 'BreakerOptions',
  }
  // `sentinel` and `reconnect` are nothing but their parts.
  const alone = names('ServiceOptions').filter((name) => !['sentinel', 'reconnect'].includes(name))
  const parts = Object.entries(groups).flatMap(([group, type]) => names(type).map((name) => `${group}.${name}`))
  assert.ok(alone.length > 15 && parts.length > 10)
  assert.deepEqual([...alone, ...parts].sort(), [...shown].sort())
  for (const [option, [file, pattern]] of Object.entries(ELSEWHERE)) {
    assert.match(readFileSync(join(root, file), 'utf8'), pattern, `${option} is not in ${file}`)
  }
})
