// One command of each package manager in an empty folder, and the first program.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { runtimes } from '../runtimes/runtimes.mjs'
import { startRegistry } from './registry.mjs'
import { Stranger } from './stranger.mjs'

const MOST_BYTES = 12e6
const FIRST = `import { ApiCache } from 'cinnabar'
const cache = new ApiCache()
console.log(await cache.getOrSet('greeting', () => 'loaded', { ttl: 60 }))
console.log(await cache.get('greeting'))
`

const managed = (path) => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url))
const runtime = (wanted) => runtimes.find(({ id }) => id === wanted)
const node = ['node', ['first.mjs']]
const deno = runtime('deno')
const bun = runtime('bun')

// Each: the one command, and how its users run a program.
const MANAGERS = {
  'npm i': ['npm', ['install', 'cinnabar'], node],
  'pnpm add': ['node', [managed('pnpm/bin/pnpm.mjs'), 'add', 'cinnabar'], node],
  'yarn add': ['node', [managed('yarn/bin/yarn.js'), 'add', 'cinnabar'], node],
  'yarn 4 add': ['node', [managed('@yarnpkg/cli-dist/bin/yarn.js'), 'add', 'cinnabar'], node],
  'bun add': [bun.command, ['add', 'cinnabar'], [bun.command, ['run', 'first.mjs']]],
  'deno add': [
    deno.command,
    ['add', '--minimum-dependency-age=0', 'npm:cinnabar'],
    [deno.command, ['run', '--allow-all', 'first.mjs']],
  ],
}

let registry

before(async () => {
  registry = await startRegistry()
})
after(() => registry.stop())

describe('an empty folder', () => {
  for (const [name, [command, args, [program, rest]]] of Object.entries(MANAGERS)) {
    test(`responds after ${name}`, async (t) => {
      const stranger = new Stranger(registry.url)
      await assert.rejects(stranger.run('cargo', ['--version']), /ENOENT/)
      if (name === 'yarn 4 add') allowLoopback(stranger)
      const started = performance.now()
      await stranger.run(command, args)
      const installed = performance.now()
      stranger.write('first.mjs', FIRST)
      assert.equal(await stranger.run(program, rest), 'loaded\nloaded\n')
      const seconds = (from, to) => ((to - from) / 1000).toFixed(1)
      t.diagnostic(
        `${seconds(started, installed)} s to install, ${seconds(installed, performance.now())} s to the first response`,
      )
      if (!existsSync(join(stranger.app, 'node_modules/cinnabar'))) return
      const bytes = stranger.bytes()
      t.diagnostic(`${(bytes / 1e6).toFixed(1)} MB`)
      assert.ok(bytes <= MOST_BYTES, `${bytes} bytes`)
    })
  }
})

test('npx runs the command line of the installed package', async () => {
  const stranger = new Stranger(registry.url)
  await stranger.run('npm', ['install', 'cinnabar'])
  const help = await stranger.run('npm', ['exec', '--offline', '--', 'cinnabar', '--help'])
  assert.match(help, /doctor/)
  const doctor = stranger.run('npm', ['exec', '--offline', '--', 'cinnabar', 'doctor', 'redis://127.0.0.1:1'])
  await assert.rejects(doctor, /nothing listens at 127\.0\.0\.1:1/)
})

// It refuses registries without TLS and, as Deno does, packages that were published a moment ago.
function allowLoopback(stranger) {
  const settings = {
    unsafeHttpWhitelist: ['127.0.0.1'],
    npmMinimalAgeGate: 0,
    nodeLinker: 'node-modules',
    enableTelemetry: false,
  }
  stranger.write('.yarnrc.yml', JSON.stringify(settings))
  stranger.write('yarn.lock', '')
}
