import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'

import { root, runJson } from '../helpers.mjs'
import { engines, temporaryFolder } from '../support/engines.mjs'

const { readFrames } = createRequire(import.meta.url)('../../lib/hot-reload.js')
const INDEX = JSON.stringify(pathToFileURL(join(root, 'index.js')))

// A module as applications write it. The lines before it move when it is edited.
const MODULE = (lines) => `${'// edited\n'.repeat(lines)}
  import { JobQueue, RedisService, shutdownOnSignal } from ${INDEX}
  const version = new URL(import.meta.url).searchParams.get('v')
  const service = (globalThis.service ??= new RedisService({ url: process.env.REDIS_URL, log: false }))
  shutdownOnSignal()
  export const queue = new JobQueue(globalThis.name, { service })
  queue.process(async () => {
    // Work that takes a moment, so that every worker there is gets a share of the jobs.
    await new Promise((resolve) => setTimeout(resolve, 20))
    return version
  })
  queue.process(() => version)
  queue.on('completed', () => heard.push('completed ' + version))
  await service.subscribe(globalThis.name, (value) => heard.push(value + ' ' + version))
  await service.subscribe(globalThis.name, () => heard.push('also ' + version))
  await service.rooms.listen(globalThis.name, ({ text }) => heard.push(text + ' ' + version))
  // What a request does is not replaced.
  export const request = () => service.subscribe(globalThis.name, () => heard.push('request'))`

const MAIN = (file) => `
  import { randomUUID } from 'node:crypto'
  globalThis.name = randomUUID()
  globalThis.heard = []
  for (let v = 1; v < 11; v++) await import(${file} + '?v=' + v)
  const { queue, request } = await import(${file} + '?v=11')
  await request()
  await request()
  const jobs = await queue.addMany(Array.from({ length: 6 }, () => ({ name: 'n' })))
  const ran = new Set(await Promise.all(jobs.map((job) => job.finished())))
  await globalThis.service.publish(globalThis.name, 'published')
  await globalThis.service.rooms.send(globalThis.name, { text: 'message' })
  // Each of these arrives behind all that was published before it: a subscription that has received it gets nothing more of that.
  await globalThis.service.publish(globalThis.name, 'end')
  await globalThis.service.rooms.send(globalThis.name, { text: 'last' })
  const last = ['end 11', 'last 11', ...Array.from({ length: 6 }, () => 'completed 11')]
  const missing = () => {
    const rest = [...globalThis.heard]
    return last.filter((one) => !rest.includes(one) || !rest.splice(rest.indexOf(one), 1))
  }
  while (missing().length > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  const counts = {}
  for (const one of globalThis.heard) counts[one] = (counts[one] ?? 0) + 1
  console.log(JSON.stringify({ ran: [...ran].sort(), counts, signals: process.listenerCount('SIGTERM') }))
  await globalThis.service.disconnect()`

for (const engine of engines) {
  describe(`a module that is evaluated again on ${engine.name}`, () => {
    const run = async (env) => {
      const file = join(temporaryFolder('again'), 'jobs.mjs')
      writeFileSync(file, MODULE(0))
      return runJson(MAIN(JSON.stringify(pathToFileURL(file))), { env: { ...engine.env(), ...env } })
    }

    test('in development replaces what it began before', async () => {
      assert.deepEqual(await run({ NODE_ENV: 'development' }), {
        ran: ['11'],
        counts: {
          'completed 11': 6,
          'published 11': 1,
          'end 11': 1,
          'also 11': 2,
          'message 11': 1,
          'last 11': 1,
          request: 4,
        },
        signals: 1,
      })
    })

    test('elsewhere replaces nothing, but listens to a signal once', async () => {
      const { counts, signals } = await run({})
      assert.equal(counts['published 1'], 1)
      assert.equal(Object.keys(counts).filter((one) => one.startsWith('published')).length, 11)
      assert.equal(signals, 1)
    })
  })
}

// Each thing that a module may begin, twice or three times at one place in it and a while apart.
const AWAITING = `
  import { JobQueue, RedisService } from ${INDEX}
  import { begin } from './begin.mjs'
  const version = new URL(import.meta.url).searchParams.get('v')
  const service = (globalThis.service ??= new RedisService({ url: process.env.REDIS_URL, log: false }))
  export const queue = new JobQueue(globalThis.name, { service })
  const record = (what) => () => globalThis.heard.push(what + ' ' + version)
  for (let n = 0; n < 2; n++) await service.subscribe(globalThis.name, record('loop'))
  for (let n = 0; n < 2; n++) await service.rooms.listen(globalThis.name, record('room'))
  for (let n = 0; n < 2; n++) {
    queue.on('added', record('added'))
    await null
  }
  for (let n = 0; n < 3; n++) {
    // Only three of them run three jobs at once.
    queue.process(() => new Promise((resolve) => globalThis.running.push(() => resolve(version))))
    await null
  }
  const start = async (what) => service.subscribe(globalThis.name, record(what))
  await start('function')
  // Longer than a module takes to be evaluated once.
  await new Promise((resolve) => setTimeout(resolve, 1100))
  await service.subscribe(globalThis.name, record('later'))
  await start('function')
  await begin(record('begun'))`
// What another module calls belongs to that one.
const BEGIN = `export const begin = (handler) => globalThis.service.subscribe(globalThis.name, handler)`

const MAIN_AWAITING = (first, second) => `
  import { randomUUID } from 'node:crypto'
  Object.assign(globalThis, { name: randomUUID(), heard: [], running: [] })
  const { queue: old } = await import(${first} + '?v=1')
  const count = async (queue, expected) => {
    globalThis.heard.length = 0
    const adding = queue.addMany([1, 2, 3].map((n) => ({ name: 'n', data: n })))
    await globalThis.service.publish(globalThis.name, 'published')
    await globalThis.service.rooms.send(globalThis.name, { text: 'published' })
    const counts = {}
    const jobs = await adding
    const all = () => globalThis.running.length === 3 && globalThis.heard.length >= expected
    while (!all()) await new Promise((resolve) => setTimeout(resolve, 5))
    for (const end of globalThis.running.splice(0)) end()
    const ran = await Promise.all(jobs.map((job) => job.finished()))
    // Behind all that was published before.
    let end
    const ended = new Promise((resolve) => (end = resolve))
    const last = await globalThis.service.subscribe('end of ' + globalThis.name, end)
    await globalThis.service.publish('end of ' + globalThis.name, 0)
    await ended
    await last.close()
    for (const one of globalThis.heard) counts[one] = (counts[one] ?? 0) + 1
    return { ran, counts }
  }
  const once = await count(old, 14)
  await import(${second} + '?v=another')
  const other = await count(old, 15)
  const { queue } = await import(${first} + '?v=2')
  const again = await count(queue, 15)
  console.log(JSON.stringify({ once, other, again }))
  await globalThis.service.disconnect()`

for (const engine of engines) {
  test(`one evaluation replaces nothing of its own, whatever it awaits, on ${engine.name}`, async () => {
    const folder = temporaryFolder('awaiting')
    writeFileSync(join(folder, 'begin.mjs'), BEGIN)
    const [first, second] = ['first.mjs', 'second.mjs'].map((name) => join(folder, name))
    writeFileSync(first, AWAITING)
    writeFileSync(
      second,
      `import { begin } from './begin.mjs'\nawait begin(() => globalThis.heard.push('begun another'))`,
    )
    const urls = [first, second].map((file) => JSON.stringify(pathToFileURL(file)))
    const env = { ...engine.env(), NODE_ENV: 'development' }
    const { once, other, again } = await runJson(MAIN_AWAITING(...urls), { env, timeout: 60_000 })
    const of = (version) => ({
      [`loop ${version}`]: 2,
      [`room ${version}`]: 2,
      [`added ${version}`]: 6,
      [`function ${version}`]: 2,
      [`later ${version}`]: 1,
      [`begun ${version}`]: 1,
    })
    assert.deepEqual(once, { ran: ['1', '1', '1'], counts: of(1) })
    assert.deepEqual(other, { ran: ['1', '1', '1'], counts: { ...of(1), 'begun another': 1 } })
    assert.deepEqual(again, { ran: ['2', '2', '2'], counts: { ...of(2), 'begun another': 1 } })
  })
}

test('a CommonJS module that is loaded again as it was replaces what it began, but not what it began at once', async () => {
  const file = join(temporaryFolder('again'), 'jobs.cjs')
  writeFileSync(
    file,
    `const begin = () => globalThis.queue.on('added', () => globalThis.heard++)
     begin()
     begin()
     for (const _ of [1, 2]) begin()`,
  )
  const source = `
    import { createRequire } from 'node:module'
    import { RedisService } from 'cinnabar'
    const service = new RedisService({ url: 'memory:' })
    const require = createRequire(import.meta.url)
    const counts = []
    globalThis.queue = service.queue('q')
    for (let n = 0; n < 3; n++) {
      await null
      delete require.cache[${JSON.stringify(file)}]
      require(${JSON.stringify(file)})
      counts.push(globalThis.queue.listenerCount('added'))
    }
    console.log(JSON.stringify(counts))
    await service.disconnect()`
  assert.deepEqual(await runJson(source, { env: { NODE_ENV: 'development' } }), [4, 4, 4])
})

test('what an earlier evaluation begins late gives way to a later one', async () => {
  const file = join(temporaryFolder('again'), 'late.mjs')
  writeFileSync(
    file,
    `const version = new URL(import.meta.url).searchParams.get('v')
     globalThis.queue.on('failed', () => {})
     await globalThis.gates[version]
     globalThis.queue.on('added', () => {})`,
  )
  const source = `
    import { RedisService } from 'cinnabar'
    const service = new RedisService({ url: 'memory:' })
    const file = ${JSON.stringify(pathToFileURL(file))}
    globalThis.queue = service.queue('q')
    let open
    globalThis.gates = { 1: new Promise((resolve) => (open = resolve)), 2: null }
    const first = import(file + '?v=1')
    while (globalThis.queue.listenerCount('failed') === 0) await new Promise(setImmediate)
    await import(file + '?v=2')
    const counts = [globalThis.queue.listenerCount('added')]
    open()
    await first
    counts.push(globalThis.queue.listenerCount('added'))
    console.log(JSON.stringify(counts))
    await service.disconnect()`
  assert.deepEqual(await runJson(source, { env: { NODE_ENV: 'development' } }), [1, 1])
})

test('a module is found in the stacks of those who evaluate modules, and a request in none', () => {
  const own = `process (${join(root, 'lib/queue.js')}:70:19)`
  const stacks = {
    node: ['file:///app/lib/queue.ts?t=17:4:3', 'ModuleJob.run (node:internal/modules/esm/module_job:222:25)'],
    commonjs: [
      'Object.<anonymous> (/app/lib/queue.js:4:3)',
      'Module._compile (node:internal/modules/cjs/loader:1554:14)',
    ],
    webpack: [
      'eval (webpack-internal:///(rsc)/./lib/queue.ts:4:3)',
      '(rsc)/./lib/queue.ts (/app/.next/server/app/api/job/route.js:42:1)',
      '__webpack_require__ (/app/.next/server/webpack-runtime.js:33:42)',
    ],
    turbopack: [
      'module evaluation (/app/.next/server/chunks/lib_queue_ts_1234._.js:4:3)',
      'instantiateModule (/app/.next/server/chunks/[turbopack]_runtime.js:740:9)',
    ],
  }
  const files = Object.entries(stacks).map(([name, frames]) => [name, readFrames([own, ...frames], () => false)])
  assert.deepEqual(Object.fromEntries(files), {
    node: { file: 'file:///app/lib/queue.ts', at: 1, isSync: true },
    commonjs: { file: '/app/lib/queue.js', at: 1, isSync: true },
    webpack: { file: 'webpack-internal:///(rsc)/./lib/queue.ts', at: 1, isSync: true },
    turbopack: { file: '/app/.next/server/chunks/lib_queue_ts_1234._.js', at: 1, isSync: true },
  })
  const request = [
    'GET (webpack-internal:///(rsc)/./app/api/route.ts:9:5)',
    'AppRouteRouteModule.do (/app/node_modules/next/dist/compiled/next-server/app-route.runtime.dev.js:10:33313)',
    'process.processTicksAndRejections (node:internal/process/task_queues:105:5)',
  ]
  assert.equal(
    readFrames([own, ...request], () => false),
    undefined,
  )
})
