import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'

import { root, runJson } from './helpers.mjs'
import { engines, temporaryFolder } from './support/engines.mjs'

const { readFrames } = createRequire(import.meta.url)('../lib/again.js')
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
  // What a request does is nobody's to replace.
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
  await globalThis.service.publish(globalThis.name, 'told')
  await globalThis.service.rooms.send(globalThis.name, { text: 'message' })
  // Each of these arrives behind all that was published before it: whoever has heard it hears nothing more of that.
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
          'told 11': 1,
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
      assert.equal(counts['told 1'], 1)
      assert.equal(Object.keys(counts).filter((one) => one.startsWith('told')).length, 11)
      assert.equal(signals, 1)
    })
  })
}

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
  const files = Object.entries(stacks).map(([name, frames]) => [name, readFrames([own, ...frames], 1, () => false)])
  assert.deepEqual(Object.fromEntries(files), {
    node: { file: 'file:///app/lib/queue.ts', place: '4:3', turn: 1 },
    commonjs: { file: '/app/lib/queue.js', place: '4:3', turn: 1 },
    webpack: { file: 'webpack-internal:///(rsc)/./lib/queue.ts', place: '4:3', turn: 1 },
    turbopack: { file: '/app/.next/server/chunks/lib_queue_ts_1234._.js', place: '4:3', turn: 1 },
  })
  const request = [
    'GET (webpack-internal:///(rsc)/./app/api/route.ts:9:5)',
    'AppRouteRouteModule.do (/app/node_modules/next/dist/compiled/next-server/app-route.runtime.dev.js:10:33313)',
    'process.processTicksAndRejections (node:internal/process/task_queues:105:5)',
  ]
  assert.equal(
    readFrames([own, ...request], 1, () => false),
    undefined,
  )
})
