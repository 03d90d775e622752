// The folders that become tarballs: the package itself and those of the platforms.

import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { root } from '../run.mjs'
import { linkedCrates } from './crates.mjs'
import { licenseTexts } from './licenses.mjs'
import { billOfMaterials } from './sbom.mjs'

// Of a clone only.
const DEVELOPMENT = ['devDependencies', 'overrides', 'scripts', 'napi']
const ALWAYS = ['README.md', 'LICENSE']

/** Prepares the package itself, which depends on the packages of these platforms at the same version. */
export function stageMain(folder, platforms) {
  const manifest = readManifest(root)
  const { name, version, files } = manifest
  mkdirSync(folder, { recursive: true })
  for (const path of [...files, ...ALWAYS]) cpSync(join(root, path), join(folder, path), { recursive: true })
  for (const field of DEVELOPMENT) delete manifest[field]
  manifest.optionalDependencies = Object.fromEntries(platforms.map((platform) => [`${name}-${platform}`, version]))
  writeManifest(folder, manifest)
}

/** Prepares the package of a platform: the addon, the licenses of what is linked into it, and what it is made of. */
export async function stagePlatform(folder, platform, addon, target) {
  const source = join(root, 'npm', platform)
  const manifest = readManifest(source)
  const { name, version, license, main } = manifest
  if (version !== readManifest(root).version) {
    throw new Error(`npm/${platform} is ${version}: run node scripts/generated.mjs, and commit`)
  }
  mkdirSync(folder, { recursive: true })
  const crates = await linkedCrates(target)
  copyFileSync(addon, join(folder, main))
  copyFileSync(join(source, 'README.md'), join(folder, 'README.md'))
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'))
  writeFileSync(join(folder, 'THIRD-PARTY-LICENSES'), licenseTexts(crates))
  writeFileSync(join(folder, 'sbom.cdx.json'), billOfMaterials(name, version, license, crates))
  delete manifest.scripts
  writeManifest(folder, { ...manifest, files: [...manifest.files, 'THIRD-PARTY-LICENSES', 'sbom.cdx.json'] })
}

/** Returns the targets of a release: `[[platform, target], …]`, such as `linux-x64-gnu` and `x86_64-unknown-linux-gnu`. */
export function targets() {
  return readManifest(root).napi.targets.map((target) => {
    const [cpu, , system, libc] = target.split('-')
    const names = { x86_64: 'x64', aarch64: 'arm64', windows: 'win32' }
    const platform = [names[system] ?? system, names[cpu] ?? cpu, libc].filter(Boolean).join('-')
    if (!existsSync(join(root, 'npm', platform))) throw new Error(`there is no npm/${platform} for ${target}`)
    return [platform, target]
  })
}

function readManifest(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

function writeManifest(folder, manifest) {
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}
