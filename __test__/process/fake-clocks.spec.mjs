// Tests of applications replace the clock, the timers and queueMicrotask, and often never bring them back.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import vm from 'node:vm'

import { root, runJson } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

// What fake clocks and spies replace, here by what never comes: the globals, the functions of node:timers, and a method.
const fakes = `
  import { readFile } from 'node:fs/promises'
  import timers from 'node:timers'
  const names = ['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate']
  const real = Object.fromEntries([...names, 'queueMicrotask', 'Date', 'performance'].map((name) => [name, globalThis[name]]))
  const nextTick = process.nextTick
  function fake() {
    for (const name of names) globalThis[name] = timers[name] = () => ({ ref() {}, unref() {}, hasRef: () => true })
    globalThis.queueMicrotask = () => {}
    globalThis.Date = class extends real.Date { constructor() { super(0) } static now() { return 0 } }
    real.performance.now = () => 0
    globalThis.performance = { now: () => 0 }
    process.nextTick = () => {}
  }
  function restore() {
    for (const name of names) globalThis[name] = timers[name] = real[name]
    Object.assign(globalThis, real)
    delete real.performance.now
    process.nextTick = nextTick
  }`

// A bit of everything that has to wait for something.
const work = `
  const busy = (ms) => { const end = process.hrtime.bigint() + BigInt(ms * 1e6); while (process.hrtime.bigint() < end); }
  const codeOf = (promise) => promise.then(() => null, (error) => error.code)
  async function work(service, silent) {
    const heard = []
    const all = new Promise((resolve) => {
      service.subscribe('news', (n) => { busy(2); if (heard.push(n) === 20) resolve() }).then(async () => {
        for (let n = 0; n < 20; n++) service.publish('news', n)
      })
    })
    const queue = service.queue('work')
    const worker = queue.process(({ data }) => { busy(6); return data * 2 }, { concurrency: 2 })
    const jobs = await queue.addMany([1, 2, 3, 4].map((data) => ({ name: 'double', data })))
    const results = await Promise.all(jobs.map((job) => job.finished({ timeoutMs: 20_000 })))
    await worker.close()
    const undone = await queue.add('unknown', 1)
    await all
    return {
      set: await service.set('key', 'value'),
      load: await service.cache.with({ timeoutMs: 5000 }).getOrSet('loaded', async () => 'loaded'),
      health: (await service.healthCheck()).status,
      heard: heard.length,
      results,
      locks: await locks(service),
      late: await codeOf(undone.finished({ timeoutMs: 50 })),
      silent: await codeOf(silent.get('key')),
      down: (await healthCheck(silent, { timeoutMs: 200 })).status,
      gone: await Promise.all([service.disconnect(), silent.disconnect({ drainMs: 10 })]),
    }
  }
  // A lock whose ttl has not passed, one that is extended, and one that is not renewed.
  const locks = async ({ locks }) => (await passed(1500), Promise.all([
    // Since the process began, more time has passed than that.
    locks.withLock('held', (_, { signal }) => signal.aborted, 1.4),
    locks.withLock('extended', async (token, { signal }) => {
      const extended = await locks.extendLock('extended', token, 100)
      await passed(1500)
      return [extended, signal.aborted]
    }, 1),
    locks.withLock('lost', async (_, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      return signal.reason.code
    }, 1, { maxHoldSeconds: 1 }).catch(({ code, result }) => [code, result]),
  ]))
  // In turns of the event loop, which no fake clock stops.
  const passed = async (ms) => {
    const end = process.hrtime.bigint() + BigInt(ms * 1e6)
    while (process.hrtime.bigint() < end) await readFile('/dev/null')
  }
  const make = () => [new RedisService({ url: process.env.STORE }), new RedisService({ url: process.env.SILENT, timeoutMs: 300 })]`

const report = `process.stdout.write(JSON.stringify(await work(...services)))`

const moments = {
  'before the package is loaded, for good': `fake(); const { RedisService, healthCheck } = await import('cinnabar'); const services = make(); ${report}`,
  'while the first service is made': `
    const { RedisService, healthCheck } = await import('cinnabar')
    fake(); const services = make(); services[0].set('first', '1').catch(() => {}); restore(); ${report}`,
  'after the first call, for good': `
    const { RedisService, healthCheck } = await import('cinnabar')
    const services = make(); await services[0].get('key'); fake(); ${report}`,
}

describe('a fake clock', () => {
  let silence

  before(async () => {
    silence = createServer(() => {})
    await new Promise((resolve) => silence.listen(0, '127.0.0.1', resolve))
  })
  after(() => silence.close())

  for (const engine of engines) {
    for (const [moment, source] of Object.entries(moments)) {
      test(`${moment}, on ${engine.name}`, async () => {
        const service = await engine.makeService()
        const env = {
          STORE: engine.env().REDIS_URL,
          SILENT: `redis://127.0.0.1:${silence.address().port}`,
        }
        const result = await runJson(`${fakes}\n${work}\n${source}`, { env, timeout: 60_000 })
        assert.deepEqual(result, {
          set: 'OK',
          load: 'loaded',
          health: 'connected',
          heard: 20,
          results: [2, 4, 6, 8],
          late: 'E_TIMEOUT',
          silent: 'E_UNAVAILABLE',
          locks: [false, [true, false], ['E_LOCK_LOST', 'E_LOCK_LOST']],
          down: 'down',
          gone: [null, null],
        })
        await service.disconnect()
      })
    }
  }
})

test('a realm whose microtasks wait for its next script settles all the same', async () => {
  const context = vm.createContext({ process, console }, { microtaskMode: 'afterEvaluate' })
  const { RedisService } = loadInto(context, `${root}/index.js`)
  const service = new RedisService({ url: 'memory:' })
  const [stored, found] = [service.set('key', 'value'), service.get('key')]
  assert.equal(await stored, 'OK')
  assert.equal(await found, 'value')
})

/** Loads the package as test runners do that give each test file a realm of its own. */
function loadInto(context, file, loaded = new Map()) {
  if (loaded.has(file)) return loaded.get(file).exports
  const module = { exports: {} }
  loaded.set(file, module)
  const require = createRequire(file)
  const inner = (name) => {
    const path = require.resolve(name)
    return path.startsWith(`${root}/lib`) ? loadInto(context, path, loaded) : require(name)
  }
  const names = ['module', 'exports', 'require', '__filename', '__dirname']
  const run = vm.compileFunction(readFileSync(file, 'utf8'), names, { filename: file, parsingContext: context })
  run(module, module.exports, inner, file, dirname(file))
  return module.exports
}
