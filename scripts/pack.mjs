// `npm run pack`: makes the tarballs that are published, in `packed/`: the package itself, and one for each platform whose addon is there.
//
//   node scripts/pack.mjs                    the addon of this machine, built if need be
//   node scripts/pack.mjs --addons=FOLDER    the addons in this folder: cinnabar.<platform>.node
//   node scripts/pack.mjs --all              fails unless the addons of all platforms are there, as a release needs them
//
// `scripts/addon.mjs` builds the addons of a release. That of `npm run build` needs the glibc of the machine it was built on.

import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { GLIBC, checkAddon } from './pack/binary.mjs'
import { stageMain, stagePlatform, targets } from './pack/stage.mjs'
import { main, root, run } from './run.mjs'
import { forRunning } from './setup.mjs'

/** Packs what is published into a folder. Returns a line per tarball: `{ file, bytes, unpacked, glibc }`, the package itself first. */
export async function pack({ addons = root, out = join(root, 'packed'), all = false } = {}) {
  const wanted = targets().map(([platform, target]) => ({
    platform,
    target,
    addon: join(addons, `cinnabar.${platform}.node`),
  }))
  const [found, missing] = [true, false].map((isThere) => wanted.filter(({ addon }) => existsSync(addon) === isThere))
  if (found.length === 0) throw new Error(`there is no addon in ${addons}: run npm run build`)
  if (all && missing.length) {
    throw new Error(`the addons of these platforms are missing: ${missing.map(({ platform }) => platform).join(', ')}`)
  }
  for (const each of found) Object.assign(each, checkAddon(each.addon, each.platform, all ? GLIBC : undefined))
  rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  const stage = mkdtempSync(join(tmpdir(), 'cinnabar-pack-'))
  try {
    stageMain(
      join(stage, 'main'),
      found.map(({ platform }) => platform),
    )
    const packed = [await tarball(join(stage, 'main'), out)]
    for (const { platform, target, addon, glibc } of found) {
      const folder = join(stage, platform)
      await stagePlatform(folder, platform, addon, target)
      packed.push({ ...(await tarball(folder, out)), glibc })
    }
    return packed
  } finally {
    rmSync(stage, { recursive: true })
  }
}

async function tarball(folder, out) {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', out]
  const [{ filename, unpackedSize }] = JSON.parse(await run('npm', args, { cwd: folder, quiet: true }))
  const file = join(out, filename)
  return { file, bytes: statSync(file).size, unpacked: unpackedSize }
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(async () => {
    const options = { addons: { type: 'string' }, out: { type: 'string' }, all: { type: 'boolean' } }
    const { addons, out, all } = parseArgs({ options }).values
    if (!addons) await forRunning()
    const paths = { addons: addons && resolve(addons), out: out && resolve(out) }
    for (const { file, bytes, unpacked, glibc } of await pack({ ...paths, all })) {
      console.log(
        `${file}  ${megabytes(bytes)}, ${megabytes(unpacked)} installed${glibc ? `, needs glibc ${glibc}` : ''}`,
      )
    }
  })
}
