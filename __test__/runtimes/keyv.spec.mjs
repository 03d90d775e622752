// The storage adapter for Keyv under Keyv 6, which needs a newer Node.js than this package.
import assert from 'node:assert/strict'
import { symlinkSync } from 'node:fs'
import { before, describe, it } from 'node:test'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { startRedis } from '../support/redis.mjs'
import { installPackage } from './installed.mjs'
import { runIn, runtimes } from './runtimes.mjs'

const packages = fileURLToPath(new URL('node_modules', import.meta.url))

let app
let server

before(async () => {
  app = await installPackage()
  server = await startRedis()
  symlinkSync(join(packages, 'keyv'), join(app, 'node_modules/keyv'))
})

describe('Keyv 6', () => {
  const node24 = runtimes.find(({ name }) => name === 'Node.js 24')
  for (const [engine, url] of [
    ['memory', () => 'memory:'],
    ['redis', () => server.url],
  ]) {
    it(`finds all that it expects of a store on ${engine}`, async () => {
      const { out } = await runIn(node24, join(app, 'keyv.mjs'), { cwd: app, env: { REDIS_URL: url() } })
      assert.deepEqual(JSON.parse(out), { passed: 10 })
    })
  }
})
