// What a scenario may change for its own process alone: names of hosts, and the clock.

import { spawnSync } from 'node:child_process'
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { temporaryFolder } from '../../__test__/support/processes.mjs'
import { program } from '../../scripts/system.mjs'

/** What to start a scenario's process with: `{ prefix, env }`, words before the command and variables. */
export async function createSandbox(name) {
  return { mounts, clock }[name]()
}

/**
 * A mount namespace of its own, whose `/etc/hosts` is the file that `FAULTS_HOSTS` names, and the only source of names: what
 * is not in it does not exist, and no other source is asked.
 */
function mounts() {
  const unshare = program('unshare')
  if (!unshare) throw new Error('unshare not found: it is part of util-linux')
  const folder = temporaryFolder('hosts')
  const hosts = join(folder, 'hosts')
  const order = join(folder, 'nsswitch.conf')
  writeFileSync(hosts, '127.0.0.1 localhost\n')
  writeFileSync(order, 'hosts: files\npasswd: files\ngroup: files\n')
  const script = 'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/nsswitch.conf && shift 2 && exec "$@"'
  const user = process.getuid() === 0 ? [] : ['--user', '--map-root-user']
  return {
    prefix: [unshare, ...user, '--mount', 'sh', '-c', script, 'sh', hosts, order],
    env: { FAULTS_HOSTS: hosts },
  }
}

/** A clock of its own, which runs ahead of the machine's by what `setClock` says. It begins with the time of day. */
function clock() {
  const compiler = program('cc', 'gcc', 'clang')
  if (!compiler) throw new Error('cc not found: Rust needs one too')
  const folder = temporaryFolder('clock')
  const [library, offset] = [join(folder, 'clock.so'), join(folder, 'offset')]
  const source = fileURLToPath(new URL('clock.c', import.meta.url))
  const { status, stderr } = spawnSync(compiler, ['-shared', '-fPIC', '-O1', '-o', library, source])
  if (status !== 0) throw new Error(`clock.c could not be compiled: ${stderr}`)
  writeFileSync(offset, Buffer.alloc(8))
  return { prefix: [], env: { LD_PRELOAD: library, FAULTS_CLOCK: offset } }
}

/** Sets the clock of this process, and of those it starts, so many seconds ahead of the machine's. */
export function setClock(seconds) {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(BigInt(seconds))
  const file = openSync(process.env.FAULTS_CLOCK, 'r+')
  writeSync(file, bytes, 0, 8, 0)
  closeSync(file)
}
