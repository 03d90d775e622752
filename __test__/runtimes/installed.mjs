// The package as a user has it: packed, with the platform's package beside it, and installed in a folder of its own.

import { execFile } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { root } from '../../scripts/run.mjs'
import { temporaryFolder } from '../support/processes.mjs'

const scripts = new URL('scripts/', import.meta.url)

/** Packs and installs, and puts this folder's scripts beside `node_modules`. Returns the folder. */
export async function installPackage() {
  const folder = temporaryFolder('installed')
  const packed = await pack(root, folder)
  const platform = await packPlatform(folder)
  const app = join(folder, 'app')
  cpSync(scripts, app, { recursive: true })
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "private": true }\n')
  // Offline: whatever a user's install fetched besides these two would be a dependency that must not be there.
  await npm(['install', '--offline', '--no-audit', '--no-fund', packed, platform], app)
  return app
}

async function pack(folder, destination) {
  const [{ filename }] = JSON.parse(await npm(['pack', '--json', '--pack-destination', destination], folder))
  return join(destination, filename)
}

/** Packs npm/<platform> with the addon in it, as a release does, without writing into the tree. */
async function packPlatform(folder) {
  const addon = readdirSync(root).find((name) => /^cinnabar\..+\.node$/.test(name))
  if (!addon) throw new Error('no addon: run npm run build')
  const platform = addon.slice('cinnabar.'.length, -'.node'.length)
  const copy = join(folder, platform)
  mkdirSync(copy)
  cpSync(join(root, 'npm', platform), copy, { recursive: true })
  copyFileSync(join(root, addon), join(copy, addon))
  return pack(copy, folder)
}

async function npm(args, cwd) {
  const { stdout } = await promisify(execFile)('npm', args, { cwd, timeout: 120_000, maxBuffer: 64 << 20 })
  return stdout
}
