// Writes the folders of npm/, one a platform: what `napi create-npm-dirs` makes, and a guard against packing one without its
// addon, which would be a release that cannot be loaded.

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
