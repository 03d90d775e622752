// The package as a user has it: packed as a release is, and installed in a folder of its own.

import { execFile } from 'node:child_process'
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { pack } from '../../scripts/pack.mjs'
import { temporaryFolder } from '../support/processes.mjs'

const scripts = new URL('scripts/', import.meta.url)

/** Packs and installs, and puts this folder's scripts beside `node_modules`. Returns the folder. */
export async function installPackage() {
  const folder = temporaryFolder('installed')
  const packed = await pack({ out: join(folder, 'packed') })
  const app = join(folder, 'app')
  cpSync(scripts, app, { recursive: true })
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "private": true }\n')
  // Offline: whatever a user's install fetched besides these two would be a dependency that must not be there.
  const install = ['install', '--offline', '--no-audit', '--no-fund', ...packed.map(({ file }) => file)]
  await promisify(execFile)('npm', install, { cwd: app, timeout: 120_000, maxBuffer: 64 << 20 })
  return app
}
