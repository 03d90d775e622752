// A real PostgreSQL server of a test's own.

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { program } from '../../scripts/system.mjs'
import { background, end, freePort, ready, temporaryFolder } from './processes.mjs'

/**
 * Starts a PostgreSQL server with an empty database on a free port of the loopback interface, with a password made for
 * this run. Its files are removed when this process ends.
 *
 * Returns what `new Client(…)` of `pg` takes as `config`, the same as `url`, and `stop()`, `start()`.
 */
export async function startPostgres() {
  const initdb = program('initdb')
  if (!initdb) throw new Error('postgresql not found: run npm run setup')
  // PostgreSQL refuses to run as root.
  const owner = process.getuid() === 0 ? account('postgres') : undefined
  const folder = temporaryFolder('postgres', owner)
  const data = join(folder, 'data')
  const log = join(folder, 'log')
  const port = await freePort()
  const password = randomBytes(18).toString('base64url')

  const secret = join(folder, 'password')
  writeFileSync(secret, password, { mode: 0o600 })
  if (owner) chownSync(secret, owner.uid, owner.gid)
  const login = ['--username=cinnabar', '--auth=scram-sha-256', `--pwfile=${secret}`]
  const created = background(initdb, [...login, '--encoding=UTF8', '--no-sync', '-D', data], {
    cwd: folder,
    log,
    owner,
  })
  created.ref()
  const status = await created.ended
  if (status !== 0) throw new Error(`initdb ended with ${status}\n${created.log()}`)

  let child
  const server = {
    port,
    config: { host: '127.0.0.1', port, user: 'cinnabar', password, database: 'postgres' },
    url: `postgres://cinnabar:${password}@127.0.0.1:${port}/postgres`,
    async start() {
      if (child) return
      const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`, 'fsync=off']
      const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])]
      // SIGQUIT: no good-byes to clients, which is right for a cluster that will not be opened again.
      const options = { cwd: folder, log, owner, endSignal: 'SIGQUIT' }
      child = background(join(initdb, '../postgres'), args, options)
      await ready(child, 'postgres', () => child.log().includes('ready to accept connections'))
    },
    async stop() {
      await end(child, 'SIGINT')
      child = undefined
    },
  }
  await server.start()
  return server
}

function account(name) {
  const id = (what) => Number(execFileSync('id', [what, name], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}
