import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { describe, test } from 'node:test'

import { root, runJson, runModule, runNode } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const [, redis] = engines

/** How many connections a server has besides the one that asks. */
async function connections(server) {
  const list = await server.command('CLIENT', 'LIST')
  return list.trim().split('\n').length - 1
}

const median = (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]

/** Runs a module that prints one line, and returns how long after that line it has exited, in ms. */
async function msToExit(source, env) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    cwd: root,
    env: { PATH: process.env.PATH, ...env },
    timeout: 60_000,
    killSignal: 'SIGKILL',
  })
  let said
  child.stdout.on('data', () => (said = performance.now()))
  const status = await new Promise((resolve) => child.on('exit', resolve))
  assert.equal(status, 0)
  return performance.now() - said
}

for (const engine of engines) {
  describe(`the life of a process on ${engine.name}`, () => {
    test('a lone top-level await settles, and the process ends', async () => {
      const { status, out, err } = await runModule(
        `import { redisService } from 'cinnabar'
         console.log(await redisService.get('nothing'))`,
        { env: engine.env() },
      )
      assert.deepEqual([status, out, err], [0, 'null\n', ''])
    })

    test('an idle script that made one call exits within 200 ms of its last line', async () => {
      const source = `
        import { redisService } from 'cinnabar'
        await redisService.set('k', 'v', { EX: 10 })
        console.log('last line')`
      const [delays, others] = [[], []]
      for (let i = 0; i < 5; i++) {
        delays.push(await msToExit(source, engine.env()))
        // Any process takes its time to exit on this machine now.
        others.push(await msToExit(`console.log('last line')`))
      }
      const rounded = [delays, others].map((all) => all.map(Math.round))
      const message = `exits came ${rounded[0]} ms after the last line, those of other scripts ${rounded[1]} ms`
      assert.ok(median(delays) - median(others) < 200, message)
    })

    test('calls that are not awaited are still sent, and unhandled rejections say so', async () => {
      const sent = await runModule(
        `import { redisService } from 'cinnabar'; redisService.set('unawaited', 'v', { EX: 100 })`,
        {
          env: engine.env(),
        },
      )
      assert.equal(sent.status, 0, sent.err)
      if (engine.kind === 'redis') assert.equal(await engine.server.command('GET', 'unawaited'), 'v')
      const unseen = await runModule(`import { redisService } from 'cinnabar'; redisService.get('')`, {
        env: engine.env(),
      })
      assert.equal(unseen.status, 1)
      assert.match(unseen.err, /E_INVALID_ARGUMENT/)
    })

    const never = 'new Promise(() => {})'
    const waits = {
      'a load': `service.cache.getOrSet('k', () => ${never})`,
      'a load whose caller has given up': `service.cache.with({ timeoutMs: 20 }).getOrSet('k', () => ${never})`,
      'a load whose caller may wait long': `service.cache.with({ timeoutMs: 50_000 }).getOrSet('k', () => ${never})`,
      'the validation of a session': `service.sessions.validateSession('token', { load: () => ${never} })`,
      'a load that is shared': `Promise.all([1, 2].map(() => service.cache.getOrSet('k', () => ${never})))`,
      'a load of its own key': `service.cache.getOrSet('k', () => service.cache.getOrSet('k', () => ${never}))`,
      'a lock whose signal was read': `service.locks.withLock('k', (_, { signal }) => signal && ${never}, 50)`,
    }
    for (const [what, call] of Object.entries(waits)) {
      test(`${what} does not keep a disconnected process alive`, async () => {
        const { status, out, err } = await runModule(
          `import { RedisService } from 'cinnabar'
           const service = new RedisService({ url: process.env.REDIS_URL, log: false })
           ${call}.catch(() => {})
           // Longer than the shortest of these waits.
           await new Promise((resolve) => setTimeout(resolve, 60))
           await service.disconnect({ drainMs: 10 })
           const disconnected = performance.now()
           process.on('exit', () => console.log(performance.now() - disconnected))`,
          { env: engine.env() },
        )
        assert.deepEqual([status, err], [0, ''])
        assert.ok(Number(out) < 1000, `it ended ${out.trim()} ms later`)
      })
    }

    test('a lone await of a load settles on a service that connects again while it is being disconnected', async () => {
      const { status, out, err } = await runModule(
        `import { RedisService } from 'cinnabar'
         const service = new RedisService({ url: process.env.REDIS_URL, log: false })
         let [finish, begun] = []
         const drained = new Promise((resolve) => (finish = resolve))
         await new Promise((resolve) => {
           service.locks.withLock('k' + Math.random(), () => (resolve(), drained)).catch(() => {})
         })
         const disconnecting = service.disconnect()
         await service.connect()
         const starting = new Promise((resolve) => (begun = resolve))
         const loading = service.cache.with({ timeoutMs: 60 }).getOrSet('k' + Math.random(), () => (begun(), ${never}))
         await starting
         finish()
         await disconnecting
         await loading.catch((error) => console.log(error.code))`,
        { env: engine.env() },
      )
      assert.deepEqual([status, out, err], [0, 'E_TIMEOUT\n', ''])
    })

    test('a background refresh does not keep the process alive', async () => {
      const { status, out, err } = await runModule(
        `import { RedisService } from 'cinnabar'
         const { cache } = new RedisService({ url: process.env.REDIS_URL, log: false })
         const options = { ttl: 0.01, staleWhileRevalidate: 60 }
         await cache.set('k', 'stale', options)
         await new Promise((resolve) => setTimeout(resolve, 30))
         const loaded = performance.now()
         process.on('exit', () => console.log(performance.now() - loaded))
         await cache.getOrSet('k', () => ${never}, options)`,
        { env: engine.env() },
      )
      assert.deepEqual([status, err], [0, ''])
      assert.ok(Number(out) < 1000, `it ended ${out.trim()} ms later`)
    })

    test('a lone await of a load or a lock settles', async () => {
      const { status, out, err } = await runModule(
        `import { RedisService } from 'cinnabar'
         const service = new RedisService({ url: process.env.REDIS_URL, log: false })
         await service.connect()
         const code = (promise) => promise.catch((error) => console.log(error.code))
         await code(service.cache.with({ timeoutMs: 50 }).getOrSet('alone', () => ${never}))
         await service.locks.withLock('alone', async (_, { signal }) => {
           await new Promise((resolve) => signal.addEventListener('abort', resolve))
           console.log(signal.reason.code)
         }, 1, { maxHoldSeconds: 1 }).catch(() => {})`,
        { env: engine.env() },
      )
      assert.deepEqual([status, out, err], [0, 'E_TIMEOUT\nE_LOCK_LOST\n', ''])
    })

    test('process.exit in the middle of calls ends at once', async () => {
      const { status, out, ms } = await runModule(
        `import { redisService } from 'cinnabar'
         await redisService.connect()
         for (let i = 0; i < 10000; i++) redisService.set('k' + (i % 10), 'v', { EX: 10 })
         console.log('leaving')
         process.exit(7)`,
        { env: engine.env() },
      )
      assert.deepEqual([status, out], [7, 'leaving\n'])
      assert.ok(ms < 5000)
    })

    test('50 worker threads load, use and end it, and calls on the main thread go on', async () => {
      if (engine.kind === 'redis') await engine.makeService().then((service) => service.disconnect())
      const outcome = await runJson(
        `import { Worker } from 'node:worker_threads'
         import { redisService } from 'cinnabar'
         await redisService.set('main', 'v', { EX: 100 })
         const worker = (n) => new Promise((resolve, reject) => {
           const thread = new Worker('./__test__/samples/worker.mjs', { workerData: n, execArgv: [] })
           let right = false
           thread.on('message', (message) => (right = message))
           thread.on('error', reject)
           thread.on('exit', (code) => resolve(right && code === 0))
         })
         const outcomes = []
         for (let round = 0; round < 5; round++) {
           const workers = Array.from({ length: 10 }, (_, i) => worker(round * 10 + i))
           outcomes.push(...(await Promise.all(workers)))
           await redisService.get('main')
         }
         const client = redisService.getClient()
         const clients = ${engine.kind === 'redis'}
           ? (await client.sendCommand(['CLIENT', 'LIST', 'TYPE', 'normal'])).trim().split('\\n').length : 0
         console.log(JSON.stringify({ right: outcomes.filter(Boolean).length, clients, main: await redisService.get('main') }))`,
        { env: engine.env(), timeout: 120_000 },
      )
      assert.deepEqual([outcome.right, outcome.main], [50, 'v'])
      assert.ok(outcome.clients <= 10, `${outcome.clients} connections for a pool of 10`)
    })

    test('a worker that is terminated in the middle of calls takes nothing down', async () => {
      const { status, out, err } = await runModule(
        `import { Worker } from 'node:worker_threads'
         import { redisService } from 'cinnabar'
         const source = \`
           const { redisService, subscribe } = require('cinnabar')
           const { parentPort } = require('node:worker_threads')
           subscribe('c', () => {})
           redisService.connect().then(() => parentPort.postMessage('ready'))
           setInterval(() => { for (let i = 0; i < 500; i++) redisService.get('k' + i).catch(() => {}) }, 1)\`
         for (let i = 0; i < 10; i++) {
           const worker = new Worker(source, { eval: true, execArgv: [] })
           await new Promise((resolve) => worker.once('message', resolve))
           await worker.terminate()
         }
         console.log(await redisService.set('after', 'v', { EX: 10 }))`,
        { env: engine.env() },
      )
      assert.deepEqual([status, out], [0, 'OK\n'], err)
    })

    test('a worker that ends takes its subscriptions with it, though nothing is published', async () => {
      const { status, out, err } = await runModule(
        `import { Worker } from 'node:worker_threads'
         import { publish, redisService } from 'cinnabar'
         await redisService.connect()
         const source = \`
           const { subscribe } = require('cinnabar')
           const { parentPort } = require('node:worker_threads')
           const noop = () => {}
           Promise.all([subscribe('quiet', noop), subscribe('quiet'), subscribe('qui*', noop, { pattern: true })])
             .then(() => parentPort.postMessage('ready'))\`
         const worker = new Worker(source, { eval: true, execArgv: [] })
         await new Promise((resolve) => worker.once('message', resolve))
         await worker.terminate()
         // On the embedded engine it is seen by a message, and the first one counts.
         const client = redisService.getClient()
         const heard = async () => ${
           engine.kind === 'redis'
             ? "`${await client.sendCommand(['PUBSUB', 'CHANNELS'])}${await client.sendCommand(['PUBSUB', 'NUMPAT'])}`"
             : "`${await publish('quiet', 1)}`"
         }
         const first = await heard()
         for (let left = 100; left > 0 && ${engine.kind === 'redis'} && (await heard()) !== '0'; left--) {
           // No server reports that a subscription has ended: it has to be asked.
           await new Promise((resolve) => setTimeout(resolve, 20))
         }
         console.log(${engine.kind === 'redis'} ? await heard() : first)`,
        { env: engine.env() },
      )
      assert.deepEqual([status, out], [0, '0\n'], err)
    })

    test('the subscriptions of a worker thread end with it', async () => {
      const outcome = await runJson(
        `import { Worker } from 'node:worker_threads'
         import { redisService } from 'cinnabar'
         const source = \`
           const { RealtimeDataManager, subscribe } = require('cinnabar')
           const { parentPort } = require('node:worker_threads')
           Promise.all([subscribe('c', () => {}), RealtimeDataManager.listen('lobby', () => {})]).then(() => parentPort.postMessage('ready'))\`
         await redisService.connect()
         const worker = new Worker(source, { eval: true, execArgv: [] })
         await new Promise((resolve) => worker.once('message', resolve))
         const client = redisService.getClient()
         const channels = () => client.sendCommand(['PUBSUB', 'CHANNELS'])
         await worker.terminate()
         // The embedded engine has no such command, and knows at once.
         for (let i = 0; process.env.REDIS_URL !== 'memory:' && i < 200 && (await channels()).length > 0; i++) {
           // No server reports that a subscription has ended: it has to be asked.
           await new Promise((resolve) => setTimeout(resolve, 10))
         }
         const published = ['c', 'room:{room:lobby:messages}:live'].map((channel) => redisService.publish(channel, 0))
         console.log(JSON.stringify(await Promise.all(published)))
         process.exit()`,
        { env: engine.env() },
      )
      assert.deepEqual(outcome, [0, 0])
    })

    test('what listens goes on though nothing in JavaScript refers to its service', async () => {
      const { status, out, err } = await runNode(
        [
          '--expose-gc',
          '--input-type=module',
          '-e',
          `import { RealtimeDataManager, RedisService } from 'cinnabar'
           const options = { url: process.env.REDIS_URL, log: false }
           const heard = new Set()
           await new RedisService(options).subscribe('c', () => heard.add('message'))
           await new RealtimeDataManager(new RedisService(options)).listen('lobby', () => heard.add('room'))
           await new RealtimeDataManager(new RedisService(options)).watch('lobby', () => heard.add('watch'))
           const service = new RedisService(options)
           const rooms = new RealtimeDataManager(service)
           for (let i = 0; i < 10; i++) {
             gc()
             // Finalizers run in later turns of the event loop, and nothing reports them.
             await new Promise((resolve) => setTimeout(resolve, 5))
           }
           for (let i = 0; i < 100 && heard.size < 3; i++) {
             await Promise.all([service.publish('c', i), rooms.send('lobby', { i }), rooms.join('lobby', 'user' + i)])
             // A message is delivered after the call that sent it, if its listener is still there.
             await new Promise((resolve) => setTimeout(resolve, 10))
           }
           console.log([...heard].sort().join())
           process.exit()`,
        ],
        { env: engine.env() },
      )
      assert.deepEqual([status, out], [0, 'message,room,watch\n'], err)
    })
  })
}

describe('connections', () => {
  test('100 re-evaluations of a module that makes the default service leave one pool', async () => {
    const service = await redis.makeService()
    await service.disconnect()
    const outcome = await runJson(
      `import { createRequire } from 'node:module'
       const require = createRequire(process.cwd() + '/')
       const path = require.resolve('cinnabar')
       let last
       for (let i = 0; i < 100; i++) {
         // What hot reload does to the JavaScript of a package; the addon itself is loaded once a process.
         for (const name of Object.keys(require.cache)) if (!name.endsWith('.node')) delete require.cache[name]
         const { redisService, ApiCache } = require(path)
         if (redisService === last) throw new Error('it was not evaluated again')
         last = redisService
         await redisService.set('k', i)
         await Promise.all(Array.from({ length: 50 }, (_, n) => ApiCache.set('n' + n, i)))
       }
       const list = await last.getClient().sendCommand(['CLIENT', 'LIST', 'TYPE', 'normal'])
       console.log(JSON.stringify({ clients: list.trim().split('\\n').length, value: await last.get('k') }))`,
      { env: redis.env() },
    )
    assert.equal(outcome.value, '99')
    assert.ok(outcome.clients <= 10, `${outcome.clients} connections`)
  })

  test('services of equal settings share their connections; the last one to leave closes them', async () => {
    const services = []
    for (let i = 0; i < 30; i++) services.push(await redis.makeService({ poolSize: 2 }))
    await Promise.all(services.map((service, i) => service.set(`k${i}`, 'v')))
    assert.ok(
      (await connections(redis.server)) <= 2 + 1,
      `${await connections(redis.server)} connections for 30 services`,
    )
    const [first, ...others] = services
    await Promise.all(others.map((service) => service.disconnect()))
    assert.equal(await first.get('k0'), 'v', 'one that leaves must not cut the others off')
    await first.disconnect()
    let left
    // A server closes a client's connection after the client has, and reports it only when asked.
    for (let i = 0; i < 200 && (left = await connections(redis.server)) > 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 10))
    assert.equal(left, 0)
  })
})
