'use strict'

const { readFileSync } = require('node:fs')

const { readVariable } = require('./environment.js')
const { version } = require('../package.json')

// For each platform the file of a clone, then the package of an installation. Spelled out, because tools that copy what an
// application needs read these lines and run none of them.
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

/** The addon for this platform. Throws an error that says which one that is, what was tried and what helps. */
function loadAddon() {
  const elsewhere = readVariable('NAPI_RS_NATIVE_LIBRARY_PATH')
  if (elsewhere) return require(elsewhere)
  const target = platform()
  const ways = TARGETS[target]
  if (!ways) throw noAddon(`cinnabar has no addon for ${target}; there are some for ${Object.keys(TARGETS).join(', ')}`)
  const [own, packaged, packagedVersion] = ways
  const reasons = []
  for (const load of [own, packaged]) {
    try {
      const addon = load()
      if (load === packaged) assertVersion(target, packagedVersion)
      return addon
    } catch (error) {
      if (error?.code === 'E_WRONG_ADDON') throw error
      // Deno's word for what it was not allowed; no installation would help.
      if (error?.name === 'NotCapable') throw noAddon(`cinnabar's addon may not be loaded: ${error.message}`, error)
      reasons.push(error)
    }
  }
  throw missing(target, reasons)
}

/** As packages of addons are called: the system, the processor and, where there are several, the C library. */
function platform() {
  const { arch, platform } = process
  if (platform === 'linux') return `linux-${arch}-${isMusl() ? 'musl' : 'gnu'}`
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`
}

// What asks the least comes first: Deno has the right to each question to be granted.
function isMusl() {
  const built = globalThis.Deno?.build?.target
  if (typeof built === 'string') return built.includes('musl')
  try {
    return readFileSync('/usr/bin/ldd', 'utf8').includes('musl')
  } catch {
    // A slim container has no such file.
  }
  const { report } = process
  if (typeof report?.getReport !== 'function') return false
  // Without it, names of all connections are looked up.
  report.excludeNetwork = true
  const { header, sharedObjects } = report.getReport()
  if (header?.glibcVersionRuntime) return false
  return sharedObjects?.some((name) => name.includes('libc.musl-') || name.includes('ld-musl-')) ?? false
}

/** An addon of another version has other functions, which would show only at some call. */
function assertVersion(target, read) {
  let found
  try {
    found = read()
  } catch {
    // Bundles have no such file.
    return
  }
  if (found === version) return
  const both = `cinnabar is ${version}, but cinnabar-${target} is ${found}`
  throw noAddon(`${both}; both must be of one version: npm install cinnabar@${version} cinnabar-${target}@${version}`)
}

function missing(target, reasons) {
  const name = `cinnabar-${target}`
  // What is not there at all says less than what could not be loaded.
  const broken = reasons.find((reason) => reason?.code !== 'MODULE_NOT_FOUND') ?? reasons.at(-1)
  const [system, cpu, libc] = target.split('-')
  const library = system === 'linux' ? ` --libc=${libc === 'gnu' ? 'glibc' : libc}` : ''
  return noAddon(
    [
      `cinnabar has no addon that this platform, ${target}, can load: it should come with the package ${name}.`,
      `  ${String(broken?.message ?? broken).split('\n')[0]}`,
      'On this machine, this installs it:',
      '  npm install --include=optional',
      'Where another machine installs for this one, this does:',
      `  npm install --os=${system} --cpu=${cpu}${library}`,
    ].join('\n'),
    broken,
  )
}

function noAddon(message, cause) {
  return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { code: 'E_WRONG_ADDON' })
}

module.exports = loadAddon()
