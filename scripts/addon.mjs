// Builds the addon of one platform as a release has it: `addons/cinnabar.<platform>.node`.
//
//   node scripts/addon.mjs x86_64-unknown-linux-gnu     for Linux by zig, so that old systems can load it
//   node scripts/addon.mjs aarch64-apple-darwin         for others by the compiler of a machine with that system

import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { GLIBC, checkAddon } from './pack/binary.mjs'
import { targets } from './pack/stage.mjs'
import { main, root, run } from './run.mjs'
import { program } from './system.mjs'

// A linker for any version of glibc, and Cargo's way to it, as Python packages.
const ZIG = `ziglang==0.13.0 \\
  --hash=sha256:3ce0c9f16547e5d61b32e0d226926e9a2552ef4b91fccf7ab5ea1a623a77824b
cargo-zigbuild==0.24.1 \\
  --hash=sha256:238a1ab54a95053a4eadc34775c81f795a8ad75f80bfed63f3f445f518102375
`
const OPTIONS = ['--release', '--locked', '--features', 'fred']

await main(async () => {
  const [target] = process.argv.slice(2)
  const [platform] = targets().find(([, each]) => each === target) ?? []
  if (!platform)
    throw new Error(
      `name one of these targets: ${targets()
        .map(([, each]) => each)
        .join(', ')}`,
    )
  const folder = join(root, 'addons')
  const file = join(folder, `cinnabar.${platform}.node`)
  mkdirSync(folder, { recursive: true })
  copyFileSync(await built(target, platform), file)
  const { bytes, glibc } = checkAddon(file, platform, GLIBC)
  console.log(`${file}: ${(bytes / 1e6).toFixed(2)} MB${glibc ? `, needs glibc ${glibc}` : ''}`)
})

async function built(target, platform) {
  const out = join(root, 'target', target, 'release')
  const [system, , libc] = platform.split('-')
  if (system === 'linux') {
    const versioned = libc === 'gnu' ? `${target}.${GLIBC}` : target
    // Otherwise a musl target links statically, and then it cannot be a library.
    const flags = libc === 'musl' ? { RUSTFLAGS: '-C target-feature=-crt-static' } : {}
    const { command, env } = await zig()
    await run(command, ['zigbuild', ...OPTIONS, '--target', versioned], { env: { ...env, ...flags } })
    return join(out, 'libcinnabar.so')
  }
  await run('cargo', ['build', ...OPTIONS, '--target', target])
  return join(out, system === 'win32' ? 'cinnabar.dll' : 'libcinnabar.dylib')
}

async function zig() {
  const folder = join(root, 'target/zig')
  const command = join(folder, 'bin/cargo-zigbuild')
  if (!existsSync(command)) {
    const python = program('python3')
    if (!python) throw new Error('zig comes as a Python package: please install python3 with pip')
    mkdirSync(folder, { recursive: true })
    const wanted = join(folder, 'requirements.txt')
    writeFileSync(wanted, ZIG)
    const how = ['--quiet', '--no-deps', '--only-binary=:all:', '--require-hashes', '--requirement', wanted]
    await run(python, ['-m', 'pip', 'install', ...how, '--target', folder])
  }
  return { command, env: { PYTHONPATH: folder } }
}
