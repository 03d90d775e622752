// The programs that the tests start and npm does not provide: Redis, OpenSSL, PostgreSQL and a browser, from Debian's packages.

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'

import { run } from './run.mjs'

/** Where Debian keeps PostgreSQL's own programs, which it does not put on the PATH. */
const postgresFolders = () =>
  existsSync('/usr/lib/postgresql')
    ? readdirSync('/usr/lib/postgresql')
        .sort((a, b) => Number(b) - Number(a))
        .map((version) => `/usr/lib/postgresql/${version}/bin`)
    : []

/** The full path of the first of these programs that is installed, or undefined. */
export function program(...names) {
  const folders = [...(process.env.PATH ?? '').split(':'), ...postgresFolders()]
  for (const name of names) {
    const folder = folders.find((folder) => folder && existsSync(`${folder}/${name}`))
    if (folder) return `${folder}/${name}`
  }
}

const needed = [
  { package: 'redis-server', programs: ['redis-server', 'valkey-server'] },
  { package: 'openssl', programs: ['openssl'] },
  { package: 'postgresql', programs: ['initdb'] },
  { package: 'chromium', programs: ['chromium', 'chromium-browser', 'google-chrome'] },
]

/** Installs those of these Debian packages whose programs are missing; all of them, unless some are named. */
export async function systemPackages(names = needed.map((entry) => entry.package)) {
  const lacking = needed.filter((entry) => names.includes(entry.package) && !program(...entry.programs))
  const missing = lacking.map((entry) => entry.package)
  if (missing.length === 0) return
  const wanted = `what you run needs ${missing.join(', ')}`
  if (!program('apt-get')) throw new Error(`${wanted}: please install, no apt-get here to do it`)
  const sudo = process.getuid() === 0 ? [] : ['sudo', '-n']
  if (sudo.length && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status !== 0) {
    throw new Error(`${wanted}: please run  sudo apt-get install ${missing.join(' ')}`)
  }
  const apt = (...args) => {
    const [command, ...rest] = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args]
    return run(command, rest)
  }
  console.log(`Installing ${missing.join(', ')}: ${wanted}.`)
  await withoutStartingServices(async () => {
    await apt('update', '-qq')
    await apt('install', '-qq', '-y', '--no-install-recommends', ...missing)
  })
}

/** Debian starts a server when it is installed. The tests start their own, so this is turned off by Debian's policy file. */
async function withoutStartingServices(action) {
  const policy = '/usr/sbin/policy-rc.d'
  const ours = process.getuid() === 0 && !existsSync(policy)
  if (ours) {
    writeFileSync(policy, '#!/bin/sh\nexit 101\n')
    chmodSync(policy, 0o755)
  }
  try {
    await action()
  } finally {
    if (ours) rmSync(policy)
  }
}
