// Next.js with the published package: a build, and its standalone output, which has only what the build has traced.

import assert from 'node:assert/strict'
import { cpSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { root } from '../helpers.mjs'
import { freePort } from '../support/processes.mjs'
import { startRegistry } from './registry.mjs'
import { Stranger } from './stranger.mjs'

const app = fileURLToPath(new URL('../next/health/', import.meta.url))
const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'examples/next/package.json'), 'utf8'))
const CONFIG = `export default {
  output: 'standalone',
  serverExternalPackages: ['cinnabar'],
  outputFileTracingRoot: import.meta.dirname,
  turbopack: { root: import.meta.dirname },
}
`

let registry

before(async () => {
  registry = await startRegistry()
})
after(() => registry.stop())

describe('the standalone output of Next.js', () => {
  for (const bundler of [[], ['--webpack']]) {
    test(['responds', ...bundler].join(' with '), async () => {
      const stranger = new Stranger(registry.url)
      cpSync(app, stranger.app, { recursive: true })
      stranger.write('next.config.ts', CONFIG)
      const versions = Object.entries({ ...dependencies, ...devDependencies, cinnabar: 'latest' })
      await stranger.run('npm', ['install', ...versions.map(([name, version]) => `${name}@${version}`)], {
        minutes: 10,
      })
      const env = { NEXT_TELEMETRY_DISABLED: '1', REDIS_URL: 'memory:' }
      await stranger.run('node', ['node_modules/next/dist/bin/next', 'build', ...bundler], { env, minutes: 10 })
      // Nothing outside of the output may be needed.
      for (const path of ['node_modules', 'app']) rmSync(join(stranger.app, path), { recursive: true })
      const port = await freePort()
      const settings = { ...env, NODE_ENV: 'production', HOSTNAME: '127.0.0.1', PORT: String(port) }
      const server = await stranger.start('node', ['.next/standalone/server.js'], settings)
      const response = await fetch(`http://127.0.0.1:${port}/api/health`)
      const { status, redis } = await response.json()
      assert.deepEqual([response.status, status, redis.engine], [200, 'healthy', 'memory'])
      await server.stop()
    })
  }
})
