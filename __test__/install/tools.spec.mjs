// What is published, as tools of the field see it: bundlers, servers that were bundled, and those that check packages.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { build } from 'esbuild'

import { startRegistry } from './registry.mjs'
import { Stranger } from './stranger.mjs'

const ROUTE = `import { ApiCache } from 'cinnabar'
export const route = async () => {
  const cache = new ApiCache()
  return [await cache.getOrSet('greeting', () => 'loaded', { ttl: 60 }), await cache.get('greeting')].join(' ')
}
`
const MAIN = `import { route } from './route.mjs'
route().then(console.log)
`

const tool = (path) => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url))

let registry, stranger

before(async () => {
  registry = await startRegistry()
  stranger = new Stranger(registry.url)
  await stranger.run('npm', ['install', 'cinnabar'])
  stranger.write('route.mjs', ROUTE)
  stranger.write('main.mjs', MAIN)
})
after(() => registry.stop())

describe('a server that was bundled', () => {
  for (const [format, file] of [
    ['esm', 'bundled.mjs'],
    ['cjs', 'bundled.cjs'],
  ]) {
    test(`by esbuild, as ${format}`, async () => {
      await bundle({ format, outfile: file, platform: 'node', packages: 'external' })
      assert.equal(await stranger.run('node', [file]), 'loaded loaded\n')
    })
  }

  test('by Vite for server-side rendering', async () => {
    await stranger.run('node', [tool('vite/bin/vite.js'), 'build', '--ssr', 'main.mjs', '--outDir', 'rendered'])
    assert.equal(await stranger.run('node', ['rendered/main.mjs']), 'loaded loaded\n')
  })

  test('by esbuild for a browser, where it says that it cannot be used there', async () => {
    await bundle({ format: 'esm', outfile: 'browser.mjs', platform: 'browser' })
    await assert.rejects(stranger.run('node', ['browser.mjs']), /ApiCache cannot be used here: .*runtime = 'nodejs'/)
  })
})

function bundle(options) {
  return build({ entryPoints: ['main.mjs'], bundle: true, logLevel: 'silent', absWorkingDir: stranger.app, ...options })
}

describe('what is packed', () => {
  test('has types for whatever it exports, in every module resolution', async () => {
    const [{ file }] = registry.packed
    const options = {
      // The oldest resolution of TypeScript does not know `exports`.
      '--profile': 'node16',
      // Next.js takes an object with methods from these two, and no import names a method.
      '--ignore-rules': 'named-exports',
      // What only the package itself imports.
      '--exclude-entrypoints': 'internal/next-cache',
      '--format': 'ascii',
    }
    const args = [tool('@arethetypeswrong/cli/dist/index.js'), file, '--no-color', ...Object.entries(options).flat()]
    await promisify(execFile)(process.execPath, args).catch(({ stdout, stderr }) => assert.fail(`${stdout}${stderr}`))
  })
})
