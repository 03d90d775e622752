// A real Redis server of a test's own, and a look into it that uses no client.

import { join } from 'node:path'

import { program } from '../../scripts/system.mjs'
import { background, end, freePort, ready, temporaryFolder } from './processes.mjs'
import { openWire } from './wire.mjs'

/**
 * Starts a Redis server on a free port of the loopback interface. It stores nothing on disk and is gone when this process
 * ends. `args` go to the server as they are: `startRedis({ args: ['--requirepass', password] })`, then give `password`
 * (and `username`) too, so that the server can be asked whether it is ready. `port` is for those that need more than a free
 * one; `env` are variables for it alone. With `tls`, which is `{ ca, caFile, certFile, keyFile }`, it speaks nothing else.
 */
export async function startRedis({ args = [], username, password, port, env, tls } = {}) {
  const binary = program('redis-server', 'valkey-server')
  if (!binary) throw new Error('redis-server not found: run npm run setup')
  const folder = temporaryFolder('redis')
  port ??= await freePort()
  const login = password ? `${username ?? ''}:${password}@` : ''
  let child

  const server = {
    port,
    url: `${tls ? 'rediss' : 'redis'}://${login}127.0.0.1:${port}`,
    get running() {
      return child !== undefined
    },
    paused: false,
    /** What the server wrote to its log since its last start. */
    log: () => child?.log() ?? '',
    /** Starts it again on the same port, empty. */
    async start() {
      if (child) return
      const fixed = [...listening(port, tls), '--save', '', '--appendonly', 'no', '--dir', folder]
      const surroundings = { log: join(folder, 'log'), env: env && { ...process.env, ...env } }
      // The server takes the path of a configuration as its first argument alone.
      const [config] = args
      const file = String(config ?? '').endsWith('.conf') ? args.slice(0, 1) : []
      child = background(binary, [...file, ...fixed, ...args.slice(file.length)].map(String), surroundings)
      await ready(child, 'redis-server', () => server.command('PING'))
    },
    /** Ends it as an operator would. */
    async stop() {
      await end(child, 'SIGTERM')
      child = undefined
    },
    /** Ends it as a power cut would. */
    async kill() {
      await end(child, 'SIGKILL')
      child = undefined
      server.paused = false
    },
    /** Lets it hang: connections stay open and nothing answers, until `resume()`. */
    pause() {
      server.paused = true
      child.kill('SIGSTOP')
    },
    resume() {
      server.paused = false
      child.kill('SIGCONT')
    },
    /** Runs `work` while it hangs. */
    async whilePaused(work) {
      server.pause()
      try {
        return await work()
      } finally {
        server.resume()
      }
    },
    /** How many connections it has accepted since its start, that of each such question included. */
    async accepted() {
      return Number(/total_connections_received:(\d+)/.exec(await server.command('INFO', 'stats'))[1])
    },
    /** Runs one command by a connection of its own and answers strings, numbers, arrays or null. */
    command: (...args) => redisCommand({ port, username, password, tls }, ...args),
  }
  await server.start()
  return server
}

/** The arguments for a server or a sentinel that listens on this port, and speaks to its like as it listens. */
export function listening(port, tls) {
  const bind = ['--bind', '127.0.0.1']
  if (!tls) return ['--port', port, ...bind]
  const files = ['--tls-ca-cert-file', tls.caFile, '--tls-cert-file', tls.certFile, '--tls-key-file', tls.keyFile]
  return ['--port', 0, '--tls-port', port, ...bind, ...files, '--tls-auth-clients', 'no', '--tls-replication', 'yes']
}

/** One command by a connection of its own, in RESP2: strings, numbers, arrays or null. */
export async function redisCommand(server, ...args) {
  const wire = await openWire(server)
  try {
    return await wire.call(...args)
  } finally {
    wire.close()
  }
}
