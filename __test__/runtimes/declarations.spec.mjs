// The types of the installed package, as TypeScript finds them by each module resolution, and as Deno does.

import { execFile } from 'node:child_process'
import { copyFileSync, cpSync, symlinkSync } from 'node:fs'
import { before, describe, it } from 'node:test'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { root } from '../../scripts/run.mjs'
import { installPackage } from './installed.mjs'
import { runtimes } from './runtimes.mjs'

const program = fileURLToPath(new URL('declarations', import.meta.url))
const typescript = join(root, 'node_modules/typescript/bin/tsc')
const typescript5 = fileURLToPath(new URL('node_modules/typescript-5/bin/tsc', import.meta.url))
const MODULES = ['use.mts', 'use.cts', 'internal.ts']

let app

before(async () => {
  app = await installPackage()
  cpSync(program, app, { recursive: true })
  for (const name of ['use.mts', 'use.cts']) copyFileSync(join(app, 'use.ts'), join(app, name))
  symlinkSync(join(root, 'node_modules/@types'), join(app, 'node_modules/@types'))
})

describe('the types of the installed package', () => {
  for (const [name, compiler, module, resolution, files] of [
    ['node16', typescript, 'node16', 'node16', MODULES],
    ['bundler', typescript, 'esnext', 'bundler', ['use.ts', 'internal.ts']],
    ['node16 of TypeScript 5', typescript5, 'node16', 'node16', MODULES],
    ['node10 of TypeScript 5', typescript5, 'commonjs', 'node10', ['use.ts', 'internal.ts']],
  ]) {
    it(`are found by ${name}`, async () => {
      const target = ['--target', 'es2022', '--lib', 'es2022,esnext.disposable,dom', '--types', 'node']
      const options = [...target, '--strict', '--noEmit', '--module', module, '--moduleResolution', resolution]
      await run(process.execPath, [compiler, ...options, ...files])
    })
  }

  it('are found by Deno', async () => {
    const deno = runtimes.find(({ id }) => id === 'deno')
    await run(deno.command, ['check', '--no-remote', 'use.ts', 'internal.ts'])
  })
})

async function run(command, args) {
  const env = { ...process.env, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' }
  await promisify(execFile)(command, args, { cwd: app, env, timeout: 120_000 }).catch((error) => {
    throw new Error(`${command} ${args.join(' ')} failed\n${error.stdout}${error.stderr}`)
  })
}
