import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { describe, test } from 'node:test'

import { RedisService, healthHandler, shutdownOnSignal } from 'cinnabar'

import { deferred, rawClient, refuses, root, runModule, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const redis = engines.find((engine) => engine.kind === 'redis')

/** How long a promise takes, in ms. */
async function timed(work) {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/**
 * A module as a process. `said(text)` waits until it has printed that; `ended` is `{ status, signal, out, err, after }`, `after`
 * being the time in ms from the last signal to the end.
 */
function runChild(source, env) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    cwd: root,
    env: { PATH: process.env.PATH, ...env },
    timeout: 30_000,
    killSignal: 'SIGKILL',
  })
  let [out, err, sent] = ['', '', performance.now()]
  child.stdout.on('data', (text) => (out += text))
  child.stderr.on('data', (text) => (err += text))
  const ended = new Promise((resolve) => {
    child.on('close', (status, signal) => resolve({ status, signal, out, err, after: performance.now() - sent }))
  })
  return {
    ended,
    said: (text) => until(`the process said ${text}; ${err}`, () => out.includes(text)),
    send(signal) {
      sent = performance.now()
      child.kill(signal)
    },
  }
}

for (const engine of engines) {
  describe(`disconnect on ${engine.name}`, () => {
    test('earlier calls are settled, later ones are refused at once', async () => {
      const service = await engine.makeService()
      const settled = []
      const note = (name) => () => settled.push(name)
      const before = Promise.all([
        service.set('key', 'v').then(note('set')),
        service.cache.getOrSet('k', () => 1).then(note('getOrSet'), note('getOrSet')),
        service.get('key').then(note('get')),
      ])
      const leaving = service.disconnect().then(note('disconnect'))
      const after = [service.get('key'), service.cache.get('k'), service.with({ timeoutMs: 50 }).get('key')]
      for (const call of after) await refuses(call, 'E_CLOSED', /disconnected; connect\(\) opens it again/)
      await Promise.all([before, leaving])
      assert.ok(settled.indexOf('disconnect') > Math.max(settled.indexOf('set'), settled.indexOf('get')), `${settled}`)
      await service.connect()
      assert.equal(await service.get('key'), engine.kind === 'redis' ? 'v' : null)
      await service.disconnect()
    })

    test('a lock that is held is given back before the service lets go', async () => {
      const url = engine.kind === 'redis' ? engine.server.url : 'memory:held'
      const [service, other] = [await engine.makeService({ url }), new RedisService({ url })]
      const [gate, began] = [deferred(), deferred()]
      await other.get('key')
      const locked = service.locks.with({ timeoutMs: 5000 }).withLock('resource', () => (began.resolve(), gate.promise))
      await began.promise
      let left = false
      const leaving = service.disconnect().then(() => (left = true))
      await refuses(
        service.locks.withLock('other', () => assert.fail('it was closed')),
        'E_CLOSED',
      )
      await new Promise((resolve) => setTimeout(resolve, 20))
      assert.equal(left, false, 'it did not wait')
      gate.resolve('done')
      assert.equal(await locked, 'done')
      await leaving
      assert.notEqual(await other.locks.acquireLock('resource'), null, 'the lock is still held')
      await other.disconnect()
    })

    test('an operation under a lock that takes too long does not keep the service open', async () => {
      const service = await engine.makeService()
      const [gate, began] = [deferred(), deferred()]
      const locked = refuses(
        service.locks.withLock('resource', () => (began.resolve(), gate.promise)),
        'E_LOCK_LOST',
      )
      await began.promise
      const ms = await timed(() => service.disconnect({ drainMs: 50 }))
      assert.ok(ms >= 49 && ms < 1000, `it took ${ms} ms`)
      gate.resolve('done')
      assert.equal((await locked).result, 'done')
    })

    test('twice, at the same time, before any call, and by `await using`', async () => {
      const service = await engine.makeService()
      await service.disconnect()
      await service.connect()
      service.set('key', 'v').catch(() => {})
      await Promise.all([service.disconnect(), service.disconnect({ drainMs: 10 }), service.disconnect()])
      await service.disconnect()
      const using = await engine.makeService()
      await using.get('key')
      await using[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]()
      await refuses(using.get('key'), 'E_CLOSED')
    })

    test('refuses what is no list of signals', () => {
      for (const signals of ['SIGTERM', [1], Array(1), [undefined], ['SIGKILL'], ['SIGNAL'], { 0: 'SIGTERM' }]) {
        assert.throws(() => shutdownOnSignal(signals), { code: 'E_INVALID_ARGUMENT' }, String(signals))
      }
      assert.equal(process.listenerCount('undefined'), 0)
    })

    test('refuses invalid options', async () => {
      const service = await engine.makeService()
      for (const options of [{ drainMs: -1 }, { drainMs: '1' }, { drainMs: NaN }, { drain: 1 }, 5]) {
        await refuses(service.disconnect(options), 'E_INVALID_ARGUMENT')
      }
      await service.disconnect()
      assert.throws(() => shutdownOnSignal('SIGTERM'), { code: 'E_INVALID_ARGUMENT' })
      assert.throws(() => shutdownOnSignal(['SIGTERM'], {}), { code: 'E_INVALID_ARGUMENT' })
      for (const signal of ['SIGKILL', 'SIGSTOP', 'SIGTREM', 'exit', '']) {
        assert.throws(() => shutdownOnSignal(['SIGUSR2', signal]), { code: 'E_INVALID_ARGUMENT' })
      }
      for (const wrong of [
        { beforeMs: -1 },
        { drainMs: '1' },
        { before: 1 },
        { signals: 'SIGUSR2' },
        { service: {} },
        new Map([[1, 2]]),
      ]) {
        const options = wrong instanceof Map ? { signals: wrong } : { signals: ['SIGUSR2'], ...wrong }
        assert.throws(() => shutdownOnSignal(options), { code: 'E_INVALID_ARGUMENT' })
      }
      assert.equal(process.listenerCount('SIGUSR2'), 0)
      shutdownOnSignal({ signals: ['SIGUSR2'], service, beforeMs: 1, drainMs: 1 })()
      shutdownOnSignal(['SIGUSR2'], service)()
      assert.equal(process.listenerCount('SIGUSR2'), 0)
    })

    test('the process ends by itself afterwards', async () => {
      const source = `
        import { redisService, subscribe } from 'cinnabar'
        await subscribe('c', () => {})
        for (let i = 0; i < 100; i++) redisService.set('k' + i, 'v').catch(() => {})
        await redisService.disconnect()
        console.log(Date.now())`
      const msToExit = async (source) => {
        const { status, out, err } = await runModule(source, { env: engine.env() })
        const ms = Date.now() - Number(out)
        assert.equal(status, 0, err)
        return ms
      }
      const [delays, others] = [[], []]
      for (let i = 0; i < 3; i++) {
        delays.push(await msToExit(source))
        // Any process takes its time to exit on this machine now.
        others.push(await msToExit('console.log(Date.now())'))
      }
      const median = (times) => times.toSorted((a, b) => a - b)[1]
      const message = `exits came ${delays} ms after the last line, those of other scripts ${others} ms`
      assert.ok(median(delays) - median(others) < 200, message)
    })

    test('a signal without another listener ends the process, once its calls are settled', async () => {
      const child = runChild(
        `import { RedisService, redisService, shutdownOnSignal } from 'cinnabar'
         shutdownOnSignal()
         const other = new RedisService({ url: process.env.REDIS_URL, timeoutMs: 4000 })
         await Promise.all([redisService.connect(), other.connect()])
         setInterval(() => {}, 1000)
         process.on('SIGUSR2', () => {
           const calls = [redisService.set('last', 'v'), other.set('words', 'v')]
           Promise.all(calls).then((results) => console.log(...results))
           console.log('asked')
         })
         console.log('ready')`,
        engine.env(),
      )
      await child.said('ready')
      const ask = async () => {
        child.send('SIGUSR2')
        await child.said('asked')
        child.send('SIGTERM')
        // Returns can only come after the signal has.
        if (engine.kind === 'redis') await new Promise((resolve) => setTimeout(resolve, 100))
      }
      await (engine.kind === 'redis' ? redis.server.whilePaused(ask) : ask())
      const { signal, out, err, after } = await child.ended
      assert.equal(signal, 'SIGTERM', out + err)
      assert.equal(out, 'ready\nasked\nOK OK\n')
      assert.ok(after < 1000, `it ended ${after} ms after the signal`)
    })

    test('is announced first, while calls still work', async () => {
      const child = runChild(
        `import { RedisService, healthHandler, redisService, shutdownOnSignal } from 'cinnabar'
         const other = new RedisService({ url: process.env.REDIS_URL, timeoutMs: 4000 })
         shutdownOnSignal({ beforeMs: 1000 })
         // The longer time applies.
         shutdownOnSignal()
         shutdownOnSignal({ signals: ['SIGHUP'], service: other, beforeMs: 60_000 })
         const statuses = async (service) => {
           const status = async (probe) => (await healthHandler({ service, probe, maxAgeMs: 0 })()).status
           return [await status('ready'), await status('live')].join(' ')
         }
         process.on('SIGHUP', async () => console.log('other', await statuses(other), await statuses(redisService)))
         process.on('SIGTERM', async () => {
           const { alerts } = await (await healthHandler({ maxAgeMs: 0 })()).json()
           console.log('all', await statuses(redisService), await redisService.set('k', 'v'), alerts.join())
           const failed = setInterval(() => redisService.get('k').catch((error) => {
             console.log(error.code)
             clearInterval(failed)
             process.exit(0)
           }), 20)
         })
         setInterval(() => {}, 1000)
         console.log('ready', await statuses(redisService))`,
        engine.env(),
      )
      await child.said('ready 200 200')
      child.send('SIGHUP')
      await child.said('other 503 200 200 200')
      child.send('SIGTERM')
      const { status, out, err } = await child.ended
      assert.equal(status, 0, out + err)
      const lines = out.trim().split('\n').slice(-2)
      assert.deepEqual(lines, ['all 503 200 OK closed: this process is shutting down', 'E_CLOSED'])
    })

    test('is over once the service is connected again', async () => {
      const child = runChild(
        `import { healthHandler, redisService as service, shutdownOnSignal } from 'cinnabar'
         const status = async () => (await healthHandler({ service, maxAgeMs: 600_000, slowMs: 60_000 })()).status
         // A report from before the signal must not be shown after it.
         const statuses = [await status()]
         // With another listener the process goes on.
         process.on('SIGUSR2', async () => {
           // Joins the drain that the signal has begun.
           await service.disconnect()
           statuses.push(await status())
           await service.connect()
           statuses.push(await status())
           console.log('statuses', statuses.join(), process.listenerCount('SIGUSR2'))
           process.exit(0)
         })
         setInterval(() => {}, 1000)
         shutdownOnSignal({ signals: ['SIGUSR2'], service, drainMs: 0 })
         process.kill(process.pid, 'SIGUSR2')`,
        engine.env(),
      )
      const { status, signal, out, err } = await child.ended
      assert.deepEqual([status, signal, out], [0, null, 'statuses 200,503,200 1\n'], err)
    })

    test('another listener decides when the process ends', async () => {
      const child = runChild(
        `import { redisService, shutdownOnSignal } from 'cinnabar'
         shutdownOnSignal()
         await redisService.connect()
         process.on('SIGINT', () => redisService.get('k').catch((error) => setTimeout(() => {
           console.log(error.code)
           process.exit(3)
         }, 50)))
         setInterval(() => {}, 1000)
         console.log('ready')`,
        engine.env(),
      )
      await child.said('ready')
      child.send('SIGINT')
      const { status, out, err } = await child.ended
      assert.equal(status, 3, out + err)
      assert.match(out, /E_CLOSED/)
    })

    test('no signal is handled unasked', async () => {
      const child = runChild(
        `import { redisService } from 'cinnabar'
         await redisService.connect()
         setInterval(() => {}, 1000)
         console.log('ready')`,
        engine.env(),
      )
      await child.said('ready')
      child.send('SIGTERM')
      const { signal, after } = await child.ended
      assert.equal(signal, 'SIGTERM')
      assert.ok(after < 1000)
    })

    test('process.exit and terminated workers, with bound calls in flight', async () => {
      const exit = await runModule(
        `import { redisService } from 'cinnabar'
         await redisService.connect()
         const { signal } = new AbortController()
         for (let i = 0; i < 5000; i++) redisService.with({ signal, timeoutMs: 5000 }).get('k').catch(() => {})
         redisService.disconnect()
         setImmediate(() => process.exit(7))`,
        { env: engine.env() },
      )
      assert.equal(exit.status, 7, exit.err)
      const workers = await runModule(
        `import { Worker } from 'node:worker_threads'
         import { redisService } from 'cinnabar'
         const source = \`
           const { RedisService, redisService } = require('cinnabar')
           const { parentPort } = require('node:worker_threads')
           const controllers = []
           redisService.connect().then(() => parentPort.postMessage('ready'))
           setInterval(() => {
             const service = new RedisService({ url: process.env.REDIS_URL, log: () => {} })
             controllers.push(new AbortController())
             for (const { signal } of controllers.slice(-20)) {
               for (let i = 0; i < 50; i++) service.with({ signal }).get('k' + i).catch(() => {})
             }
             controllers.at(-5)?.abort()
             service.disconnect({ drainMs: 1 })
           }, 1)\`
         for (let i = 0; i < 10; i++) {
           const worker = new Worker(source, { eval: true, execArgv: [] })
           await new Promise((resolve) => worker.once('message', resolve))
           await new Promise((resolve) => setTimeout(resolve, 5 * i))
           await worker.terminate()
         }
         console.log(await redisService.set('after', 'v'))`,
        { env: engine.env() },
      )
      assert.deepEqual([workers.status, workers.out], [0, 'OK\n'], workers.err)
    })
  })
}

describe('disconnect while the server hangs', () => {
  test('what is not settled in time is rejected with the right code', async () => {
    const service = await redis.makeService({ timeoutMs: 60_000 })
    await service.connect()
    const client = await rawClient(service)
    await redis.server.whilePaused(async () => {
      const [read, write] = [service.get('key'), client.incr('count')]
      const refused = [refuses(read, 'E_CLOSED', /before the reply/), refuses(write, 'E_MAYBE_APPLIED')]
      const began = performance.now()
      const since = () => performance.now() - began
      const [first, second] = await Promise.all([
        service.disconnect({ drainMs: 150 }).then(since),
        service.disconnect().then(since),
        ...refused,
      ])
      for (const ms of [first, second]) assert.ok(ms >= 149 && ms < 1000, `it took ${ms} ms`)
    })
  })

  test('a reply that comes during the drain settles its call', async () => {
    const service = await redis.makeService()
    await service.connect()
    let write, leaving
    await redis.server.whilePaused(async () => {
      write = service.set('key', 'v')
      leaving = service.disconnect()
      await refuses(service.get('key'), 'E_CLOSED')
    })
    assert.deepEqual(await Promise.all([write, leaving]), ['OK', undefined])
  })

  test('what only waits for a connection hears of it at once', async () => {
    const service = await redis.makeService({ timeoutMs: 60_000, connectTimeoutMs: 60_000 })
    await redis.server.whilePaused(async () => {
      const waiting = [service.connect(), service.subscribe('c', () => {})]
      const refused = waiting.map((promise) => refuses(promise, 'E_CLOSED'))
      const ms = await timed(() => service.disconnect())
      assert.ok(ms < 1000, `it took ${ms} ms`)
      await Promise.all(refused)
    })
  })

  test('SIGTERM ends the process within the 5 s of draining, a second one at once', async () => {
    const source = `
      import { redisService, shutdownOnSignal } from 'cinnabar'
      shutdownOnSignal()
      const { signal } = new AbortController()
      const service = redisService.with({ timeoutMs: 60_000 })
      await service.connect()
      setInterval(() => {}, 1000)
      const say = (what) => console.log(what, performance.now())
      let refuses = false
      process.on('SIGUSR2', () => {
        service.set('k', 'v').catch((error) => say(error.code))
        service.with({ signal }).get('k').catch((error) => say(error.code))
        const asking = setInterval(async () => {
          const code = await service.get('k').catch((error) => error.code)
          if (code !== 'E_CLOSED' || refuses) return
          refuses = true
          clearInterval(asking)
          say('refuses')
        }, 10)
        say('asked')
      })
      console.log('connected')`
    const children = [runChild(source, redis.env()), runChild(source, redis.env())]
    for (const child of children) await child.said('connected')
    await redis.server.whilePaused(async () => {
      for (const child of children) child.send('SIGUSR2')
      for (const child of children) await child.said('asked')
      for (const child of children) child.send('SIGTERM')
      for (const child of children) await child.said('refuses')
      children[1].send('SIGTERM')
      const [patient, hurried] = await Promise.all(children.map(({ ended }) => ended))
      assert.deepEqual([patient.signal, hurried.signal], ['SIGTERM', 'SIGTERM'], patient.err + hurried.err)
      const said = Object.fromEntries(
        patient.out
          .trim()
          .split('\n')
          .map((line) => line.split(' ')),
      )
      assert.deepEqual(Object.keys(said).sort(), ['E_CLOSED', 'E_MAYBE_APPLIED', 'asked', 'connected', 'refuses'])
      // By its own clock.
      const ms = said.E_MAYBE_APPLIED - said.refuses
      assert.ok(ms > 4500 && ms < 5500, `it waited ${ms} ms for its calls`)
      assert.doesNotMatch(hurried.out, /E_MAYBE_APPLIED/, 'the other waited for its calls as well')
      assert.ok(hurried.after < patient.after, `it ended ${hurried.after} ms after the second signal`)
    })
  })
})

describe('what the log hears', () => {
  test('each change once, however many services share the store', async () => {
    const events = []
    const log = (event) => events.push(event)
    const services = [await redis.makeService({ log }), await redis.makeService({ log })]
    services.push(await redis.makeService({ log: () => assert.fail('a log that throws does no harm') }))
    await Promise.all(services.map((service) => service.set('key', 'v')))
    assert.deepEqual(events, [], 'the first connection is no change')
    await redis.server.kill()
    await until('the loss is reported', () => events.length > 0)
    await redis.server.start()
    await until('the return is reported', () => events.length > 1)
    assert.deepEqual(
      events.map(({ type }) => type),
      ['lost', 'connected'],
    )
    for (const { at, target, message } of events) {
      assert.equal(target, `127.0.0.1:${redis.server.port}`)
      assert.equal(new Date(at).toISOString(), at)
      assert.match(message, new RegExp(target))
    }
    await Promise.all(services.map((service) => service.disconnect()))
  })

  test('by default one line of the console; false is silent; a disconnected service hears nothing', async () => {
    const lines = []
    const warn = console.warn
    console.warn = (line) => lines.push(line)
    try {
      const [gone, events] = [await redis.makeService({ log: () => assert.fail('it was disconnected') }), []]
      const services = [await redis.makeService(), await redis.makeService({ log: false }), await redis.makeService()]
      services.push(await redis.makeService({ log: ({ type }) => events.push(type) }))
      await Promise.all([gone, ...services].map((service) => service.get('key')))
      await gone.disconnect()
      await redis.server.kill()
      await until('the loss is reported', () => events.length > 0)
      assert.equal(lines.length, 1)
      assert.match(lines[0], new RegExp(`^cinnabar: lost 127\\.0\\.0\\.1:${redis.server.port}: `))
      await redis.server.start()
      await until('the return is reported', () => events.length > 1)
      assert.equal(lines.length, 2)
      await Promise.all(services.map((service) => service.disconnect()))
    } finally {
      console.warn = warn
    }
  })

  test('copies of the module say it once, and an idle process ends all the same', async () => {
    const service = await redis.makeService()
    await service.disconnect()
    const child = runChild(
      `import { createRequire } from 'node:module'
       const require = createRequire(process.cwd() + '/')
       const path = require.resolve('cinnabar')
       for (let i = 0; i < 5; i++) {
         for (const name of Object.keys(require.cache)) if (!name.endsWith('.node')) delete require.cache[name]
         await require(path).redisService.get('k')
       }
       const wait = setInterval(() => {}, 1000)
       console.warn = (line) => {
         console.log(line)
         if (line.includes('reconnected')) setTimeout(() => clearInterval(wait), 50)
       }
       console.log('ready')`,
      redis.env(),
    )
    await child.said('ready')
    await redis.server.kill()
    await child.said('lost')
    await redis.server.start()
    const { status, out, err } = await child.ended
    assert.equal(status, 0, err)
    assert.equal(out.trim().split('\n').length, 3, out)
  })

  test('log: anything else is refused', () => {
    for (const log of [true, 'console', {}, null]) {
      assert.throws(() => new RedisService({ url: 'memory:', log }), { code: 'E_INVALID_SETTINGS' })
    }
  })
})
