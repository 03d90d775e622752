'use strict'

const { readFileSync } = require('node:fs')

const { version } = require('../package.json')
const { readVariable } = require('./environment-variables.js')

// For each platform: the file in a clone of this repository, then the npm package, then that package's version. Written out
// because bundlers and file tracers find dependencies by reading `require` calls, not by running them.
const TARGETS = {
  'linux-x64-gnu': [
    () => require('../cinnabar.linux-x64-gnu.node'),
    () => require('cinnabar-linux-x64-gnu'),
    () => require('cinnabar-linux-x64-gnu/package.json').version,
  ],
  'linux-x64-musl': [
    () => require('../cinnabar.linux-x64-musl.node'),
    () => require('cinnabar-linux-x64-musl'),
    () => require('cinnabar-linux-x64-musl/package.json').version,
  ],
  'linux-arm64-gnu': [
    () => require('../cinnabar.linux-arm64-gnu.node'),
    () => require('cinnabar-linux-arm64-gnu'),
    () => require('cinnabar-linux-arm64-gnu/package.json').version,
  ],
  'linux-arm64-musl': [
    () => require('../cinnabar.linux-arm64-musl.node'),
    () => require('cinnabar-linux-arm64-musl'),
    () => require('cinnabar-linux-arm64-musl/package.json').version,
  ],
  'darwin-x64': [
    () => require('../cinnabar.darwin-x64.node'),
    () => require('cinnabar-darwin-x64'),
    () => require('cinnabar-darwin-x64/package.json').version,
  ],
  'darwin-arm64': [
    () => require('../cinnabar.darwin-arm64.node'),
    () => require('cinnabar-darwin-arm64'),
    () => require('cinnabar-darwin-arm64/package.json').version,
  ],
  'win32-x64-msvc': [
    () => require('../cinnabar.win32-x64-msvc.node'),
    () => require('cinnabar-win32-x64-msvc'),
    () => require('cinnabar-win32-x64-msvc/package.json').version,
  ],
  'win32-arm64-msvc': [
    () => require('../cinnabar.win32-arm64-msvc.node'),
    () => require('cinnabar-win32-arm64-msvc'),
    () => require('cinnabar-win32-arm64-msvc/package.json').version,
  ],
}

/** Loads the addon for this platform. The error thrown on failure names the platform, the cause and how to install the addon. */
function loadAddon() {
  const elsewhere = readVariable('NAPI_RS_NATIVE_LIBRARY_PATH')
  if (elsewhere) return require(elsewhere)
  const target = platform()
  const ways = TARGETS[target]
  if (!ways)
    throw noAddon(`cinnabar has no addon for ${target}. Supported platforms: ${Object.keys(TARGETS).join(', ')}`)
  const [own, packaged, packagedVersion] = ways
  const reasons = []
  for (const load of [own, packaged]) {
    try {
      const addon = load()
      if (load === packaged) assertVersion(target, packagedVersion)
      else if (!addon.optionTable)
        throw noAddon('the addon of this clone was built from other sources; run  npm run build')
      return addon
    } catch (error) {
      if (error?.code === 'E_WRONG_ADDON') throw error
      // Deno denied permission, so reinstalling would not help.
      if (error?.name === 'NotCapable')
        throw noAddon(`cinnabar's addon cannot be loaded without permission: ${error.message}`, error)
      reasons.push(error)
    }
  }
  throw missing(target, reasons)
}

/** The platform as it appears in the names of the addon packages: system, architecture and, where it matters, C library. */
function platform() {
  const { arch, platform } = process
  if (platform === 'linux') return `linux-${arch}-${isMusl() ? 'musl' : 'gnu'}`
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`
}

// Deno asks for a permission at each of these steps, so the ones that need fewest come first.
function isMusl() {
  const built = globalThis.Deno?.build?.target
  if (typeof built === 'string') return built.includes('musl')
  try {
    return readFileSync('/usr/bin/ldd', 'utf8').includes('musl')
  } catch {
    // Slim containers lack this file.
  }
  const { report } = process
  if (typeof report?.getReport !== 'function') return false
  // Otherwise the report resolves the host name of every open connection.
  report.excludeNetwork = true
  const { header, sharedObjects } = report.getReport()
  if (header?.glibcVersionRuntime) return false
  return sharedObjects?.some((name) => name.includes('libc.musl-') || name.includes('ld-musl-')) ?? false
}

/** Throws if the addon package has another version. Its functions may differ, which would otherwise fail only at some later call. */
function assertVersion(target, read) {
  let found
  try {
    found = read()
  } catch {
    // Bundled applications lack this file.
    return
  }
  if (found === version) return
  const both = `cinnabar is ${version}, but cinnabar-${target} is ${found}`
  throw noAddon(
    `${both}. Install the same version of both: npm install cinnabar@${version} cinnabar-${target}@${version}`,
  )
}

function missing(target, reasons) {
  const name = `cinnabar-${target}`
  // "Found, but failed to load" is more helpful than "not found".
  const broken = reasons.find((reason) => reason?.code !== 'MODULE_NOT_FOUND') ?? reasons.at(-1)
  const [system, cpu, libc] = target.split('-')
  const library = system === 'linux' ? ` --libc=${libc === 'gnu' ? 'glibc' : libc}` : ''
  return noAddon(
    [
      `cinnabar could not load its addon for ${target}, which is installed with the optional dependency ${name}:`,
      `  ${String(broken?.message ?? broken).split('\n')[0]}`,
      'To install it on this machine:',
      '  npm install --include=optional',
      'To install it on another machine for this platform:',
      `  npm install --os=${system} --cpu=${cpu}${library}`,
    ].join('\n'),
    broken,
  )
}

function noAddon(message, cause) {
  return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { code: 'E_WRONG_ADDON' })
}

module.exports = loadAddon()
