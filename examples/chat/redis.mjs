// The Redis that the servers share: the one that is configured, or one of this example's own that stores nothing on disk.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { choosePorts } from './ports.mjs'

const PROGRAMS = ['redis-server', 'valkey-server']

/** Returns `{ url, label, stop() }`. Two processes cannot share the embedded engine, so there must be a server. */
export async function chooseRedis(env) {
  const url = env.REDIS_URL || env.REDIS_PUBLIC_URL
  if (url?.startsWith('memory:'))
    throw new Error('Two processes need a server: the embedded engine belongs to one process.')
  if (url) return { url, label: 'on the server of REDIS_URL', async stop() {} }
  for (const program of PROGRAMS) {
    const server = await startServer(program)
    if (server) return server
  }
  throw new Error(`Set REDIS_URL, or install ${PROGRAMS.join(' or ')} (Debian: apt-get install redis-server).`)
}

/** Returns null if there is no such program. */
async function startServer(program) {
  const [port] = await choosePorts({ PORT: 16_379 }, 1)
  const options = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', tmpdir()]
  const child = spawn(program, options.map(String), { stdio: 'ignore' })
  try {
    await once(child, 'spawn')
  } catch {
    return null
  }
  process.on('exit', () => child.kill('SIGKILL'))
  while (child.exitCode === null && !(await listens(port))) await delay(20)
  if (child.exitCode !== null) throw new Error(`${program} ended at once. Set REDIS_URL to a server that runs.`)
  return {
    url: `redis://127.0.0.1:${port}`,
    label: `on a ${program} started for the example, port ${port}, without persistence`,
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function listens(port) {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
