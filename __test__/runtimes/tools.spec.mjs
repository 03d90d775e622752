// The installed package under tools that load it in threads and realms of their own: test runners and a pool of threads.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFileSync, cpSync, symlinkSync } from 'node:fs'
import { before, describe, it } from 'node:test'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { startRedis } from '../support/redis.mjs'
import { installPackage } from './installed.mjs'

const tools = fileURLToPath(new URL('tools', import.meta.url))
const packages = fileURLToPath(new URL('node_modules', import.meta.url))
const FILES = 4

let app
let server

before(async () => {
  app = await installPackage()
  server = await startRedis()
  cpSync(tools, app, { recursive: true })
  for (const name of ['ava', 'jest', 'piscina', 'publint', 'vitest'])
    symlinkSync(join(packages, name), join(app, 'node_modules', name))
  // Several files, so that several threads come, one after the other and side by side.
  for (let n = 1; n < FILES; n++) {
    copyFileSync(join(app, 'vitest/threads.test.mjs'), join(app, `vitest/threads-${n}.test.mjs`))
    copyFileSync(join(app, 'ava/test.mjs'), join(app, `ava/test-${n}.mjs`))
  }
})

describe('test runners and pools', () => {
  it('vitest --pool threads passes and ends, under fake timers too', async () => {
    const said = await run('vitest/vitest.mjs', ['run', '--root', 'vitest', '--pool', 'threads'])
    assert.match(said, new RegExp(`Tests +${2 * FILES} passed`))
  })

  it('AVA passes and ends', async () => {
    assert.match(await run('ava/entrypoints/cli.mjs', []), new RegExp(`${FILES} tests passed`))
  })

  it('Jest passes under fake timers, and sees no open handle after disconnect()', async () => {
    const said = await run('jest/bin/jest.js', ['--rootDir', 'jest', '--detectOpenHandles'])
    assert.match(said, /Tests: +4 passed/)
    assert.doesNotMatch(said, /open handle/)
  })

  it('Piscina retires its threads and goes on', async () => {
    assert.deepEqual(JSON.parse(await run(join(app, 'piscina/main.mjs'), [])), { settled: 48 })
  })
})

describe('the packed package', () => {
  it('is as publint wants it', async () => {
    assert.match(
      await run('publint/src/cli.js', ['run', join(app, 'node_modules/cinnabar'), '--strict', '--pack', 'false']),
      /All good/,
    )
  })
})

/** What a tool says on both its outputs. It must end by itself, and well. */
async function run(program, args) {
  const { PATH, HOME, TMPDIR } = process.env
  const env = { PATH, HOME, TMPDIR, NO_COLOR: '1', CI: '1', REDIS_URL: server.url }
  const script = program.startsWith('/') ? program : join(app, 'node_modules', program)
  const options = { cwd: app, env, timeout: 120_000, killSignal: 'SIGKILL', maxBuffer: 1 << 24 }
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, ...args], options).catch((error) => {
    throw new Error(`${program} ended with ${error.signal ?? error.code}\n${error.stdout}${error.stderr}`)
  })
  return stdout + stderr
}
