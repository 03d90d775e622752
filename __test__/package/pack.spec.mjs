// The tarballs that are published: what is in them, and what is refused.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { promisify } from 'node:util'

import { Spec, Validation } from '@cyclonedx/cyclonedx-library'

import { GLIBC, checkAddon } from '../../scripts/pack/binary.mjs'
import { targets } from '../../scripts/pack/stage.mjs'
import { pack } from '../../scripts/pack.mjs'
import { root } from '../helpers.mjs'
import { temporaryFolder } from '../support/processes.mjs'

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const own = readdirSync(root).find((name) => /^cinnabar\..+\.node$/.test(name))
const platform = own.slice('cinnabar.'.length, -'.node'.length)

describe('the tarballs', () => {
  let main, addon

  before(async () => {
    const folder = temporaryFolder('packed')
    const packed = await pack({ out: join(folder, 'packed') })
    assert.equal(packed.length, 2)
    ;[main, addon] = await Promise.all(
      packed.map(async ({ file }, at) => {
        const unpacked = join(folder, String(at))
        mkdirSync(unpacked)
        await promisify(execFile)('tar', ['-xzf', file, '-C', unpacked])
        return join(unpacked, 'package')
      }),
    )
  })

  const read = (folder, file) => readFileSync(join(folder, file), 'utf8')
  const manifest = (folder) => JSON.parse(read(folder, 'package.json'))

  test('have the same version, and the package depends on that of the platform only', () => {
    const { optionalDependencies, dependencies, devDependencies, scripts, version: packed } = manifest(main)
    assert.deepEqual(
      { packed, optionalDependencies, dependencies, devDependencies, scripts },
      {
        packed: version,
        optionalDependencies: { [`cinnabar-${platform}`]: version },
        dependencies: undefined,
        devDependencies: undefined,
        scripts: undefined,
      },
    )
    assert.equal(manifest(addon).version, version)
    assert.equal(manifest(addon).scripts, undefined)
  })

  test('have whatever the exports name', () => {
    const files = Object.values(manifest(main).exports).flatMap((each) => (each.default ? Object.values(each) : [each]))
    assert.ok(files.length > 20)
    for (const file of files) assert.ok(read(main, file).length, file)
  })

  test('name what is linked in, with its licenses, the Lua in the embedded engine among them', () => {
    const licenses = read(addon, 'THIRD-PARTY-LICENSES')
    for (const part of [
      'tokio 1.',
      'Lua.org, PUC-Rio',
      'Microsoft Corporation',
      'Brian Smith',
      'Rust standard library',
    ])
      assert.ok(licenses.includes(part), part)
    assert.ok(!licenses.includes('cinnabar-core'))
    const { metadata, components } = JSON.parse(read(addon, 'sbom.cdx.json'))
    assert.equal(metadata.component.purl, `pkg:npm/cinnabar-${platform}@${version}`)
    for (const { name, version } of components) assert.ok(licenses.includes(`${name} ${version}`), name)
    for (const { name, licenses } of components) assert.ok(name === 'lua-src' || licenses.length, name)
  })

  test('have a bill of materials that is as its schema says', async () => {
    const bill = read(addon, 'sbom.cdx.json')
    assert.equal(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(bill), null)
    const { components } = JSON.parse(bill)
    assert.ok(components.length > 50 && components.every(({ purl }) => purl.startsWith('pkg:cargo/')))
    // Code that only builds it, or only tests it, is not in it.
    for (const name of ['syn', 'proptest', 'cc', 'napi-build', 'cinnabar-core'])
      assert.ok(!components.some((component) => component.name === name), name)
  })
})

describe('what is refused', () => {
  test('a release without the addons of all platforms', async () => {
    const others = targets()
      .map(([name]) => name)
      .filter((name) => name !== platform)
    await assert.rejects(pack({ all: true, out: temporaryFolder('packed') }), (error) => {
      for (const name of others) assert.ok(error.message.includes(name), error.message)
      return !error.message.includes(platform)
    })
  })

  test('no addon at all', async () => {
    const empty = temporaryFolder('empty')
    await assert.rejects(pack({ addons: empty, out: join(empty, 'packed') }), /no addon in .*npm run build/)
  })

  // The beginnings of binaries, which are all that is read.
  const elf = (machine, text) => {
    const binary = Buffer.alloc(64)
    binary.write('\x7fELF', 'latin1')
    binary.writeUInt16LE(machine, 18)
    return Buffer.concat([binary, Buffer.from(text)])
  }
  const machO = Buffer.concat([Buffer.from('cffaedfe0c000001', 'hex'), Buffer.alloc(64)])
  for (const [what, name, binary, reason] of [
    [
      'an addon of another processor',
      'linux-x64-gnu',
      elf(0xb7, 'GLIBC_2.17'),
      /is for linux-arm64, not for linux-x64-gnu/,
    ],
    ['an addon of another system', 'linux-arm64-gnu', machO, /is for darwin-arm64, not for linux-arm64-gnu/],
    ['a text', 'win32-x64-msvc', Buffer.from('no program at all'.repeat(8)), /is for no known system/],
    ['an empty file', 'darwin-x64', Buffer.alloc(0), /is for no known system/],
    [
      'an addon that needs a newer glibc',
      'linux-x64-gnu',
      elf(0x3e, 'GLIBC_2.9 GLIBC_2.99'),
      /needs glibc 2\.99, but 2\.\d+ is/,
    ],
    ['one with glibc for musl', 'linux-x64-musl', elf(0x3e, 'GLIBC_2.17'), /needs glibc 2\.17, but .* musl/],
    ['one with musl for glibc', 'linux-x64-gnu', elf(0x3e, 'libc.so'), /needs no glibc/],
  ]) {
    test(what, () => {
      const file = join(temporaryFolder('addon'), `cinnabar.${name}.node`)
      writeFileSync(file, binary)
      assert.throws(() => checkAddon(file, name, GLIBC), { message: reason })
    })
  }
})
