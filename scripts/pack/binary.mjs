// What a built addon is, as its own bytes say it: the system and processor it is for, and the C library it needs.

import { readFileSync } from 'node:fs'

/** The newest glibc of which the addon of a release may need anything: the oldest that Node.js 20 runs on, as of RHEL 8 and Debian 10. */
export const GLIBC = '2.28'

const ELF = { 0x3e: 'x64', 0xb7: 'arm64' }
const MACH_O = { 0x01000007: 'x64', 0x0100000c: 'arm64' }
const PE = { 0x8664: 'x64', 0xaa64: 'arm64' }

/**
 * Throws unless the file is an addon for this platform, such as `linux-x64-gnu`, that needs nothing newer than this glibc. Returns `{ bytes,
 * glibc }`.
 */
export function checkAddon(file, platform, newest = Infinity) {
  const binary = readFileSync(file)
  const [system, cpu, libc] = platform.split('-')
  const found = built(binary)
  if (found !== `${system}-${cpu}`) throw new Error(`${file} is for ${found ?? 'no known system'}, not for ${platform}`)
  const glibc = newestGlibc(binary)
  if (libc === 'musl' && glibc) throw new Error(`${file} needs glibc ${glibc}, but ${platform} has musl`)
  if (libc === 'gnu' && !glibc) throw new Error(`${file} needs no glibc, so it is not for ${platform}`)
  if (libc === 'gnu' && newest !== Infinity && isNewer(glibc, newest)) {
    throw new Error(
      `${file} needs glibc ${glibc}, but ${newest} is the newest that it may need: run node scripts/addon.mjs`,
    )
  }
  return { bytes: binary.length, glibc }
}

function built(binary) {
  if (binary.length < 64) return undefined
  const magic = binary.readUInt32BE(0)
  const of = (system, cpus, type) => (cpus[type] ? `${system}-${cpus[type]}` : undefined)
  if (magic === 0x7f454c46) return of('linux', ELF, binary.readUInt16LE(18))
  if (magic === 0xcffaedfe) return of('darwin', MACH_O, binary.readUInt32LE(4))
  if (magic >>> 16 === 0x4d5a) return of('win32', PE, binary.readUInt16LE(binary.readUInt32LE(60) + 4))
}

function newestGlibc(binary) {
  const versions = [...binary.toString('latin1').matchAll(/GLIBC_(\d+\.\d+)/g)].map(([, version]) => version)
  return versions.reduce((newest, version) => (!newest || isNewer(version, newest) ? version : newest), undefined)
}

function isNewer(one, other) {
  const [[major, minor], [otherMajor, otherMinor]] = [one, other].map((version) => version.split('.').map(Number))
  return major === otherMajor ? minor > otherMinor : major > otherMajor
}
