// Writes the folders of npm/, one per platform: the output of `napi create-npm-dirs`, and a guard that refuses to pack one
// without its addon, because that release could not be loaded.

import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { root, run } from './run.mjs'

const guard = `node -e "require('node:fs').accessSync(require('./package.json').main)"`

export async function writePlatforms() {
  await run('npx', ['--no-install', 'napi', 'create-npm-dirs'])
  for (const name of readdirSync(join(root, 'npm'))) {
    const path = join(root, 'npm', name, 'package.json')
    const manifest = JSON.parse(readFileSync(path, 'utf8'))
    manifest.scripts = { prepack: guard }
    writeFileSync(path, `${JSON.stringify(manifest, null, 2)}\n`)
  }
}
