// Starts Redis servers for tests, the bench and the chat example, and sends them commands without the client under test.

import { join } from 'node:path'

import { program } from '../../scripts/system.mjs'
import { background, end, freePort, ready, temporaryFolder } from './processes.mjs'
import { openWire } from './wire.mjs'

/** The full path of the server program, or undefined. */
export const serverProgram = () => program('redis-server', 'valkey-server')

/**
 * Starts a Redis server on a free port of the loopback interface. It stores nothing on disk and ends with this process. `args` go to the server as they are: `startRedis({ args: ['--requirepass', password] })`, then give `password`
 * (and `username`) too, so that the server can be asked whether it is ready. `port` is for those that need more than a free
 * one; `env` are variables for it alone. With `tls`, which is `{ ca, caFile, certFile, keyFile }`, it speaks nothing else.
 */
export async function startRedis({ args = [], username, password, port, env, tls } = {}) {
  const binary = serverProgram()
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
    get pid() {
      return child?.pid
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
    /** Stops it until `resume()`: connections stay open, and nothing is replied. */
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
    /** Returns how many connections it has accepted since its start, the one of this call included. */
    async accepted() {
      return Number(/total_connections_received:(\d+)/.exec(await server.command('INFO', 'stats'))[1])
    },
    /** Sends one command over a new connection; resolves to a string, a number, an array or null. */
    command: (...args) => redisCommand({ port, username, password, tls }, ...args),
  }
  await server.start()
  return server
}

/** The arguments for a server or a sentinel that listens on this port; with `tls`, it uses TLS for replication too. */
export function listening(port, tls) {
  const bind = ['--bind', '127.0.0.1']
  if (!tls) return ['--port', port, ...bind]
  const files = ['--tls-ca-cert-file', tls.caFile, '--tls-cert-file', tls.certFile, '--tls-key-file', tls.keyFile]
  return ['--port', 0, '--tls-port', port, ...bind, ...files, '--tls-auth-clients', 'no', '--tls-replication', 'yes']
}

/** Sends one command over a new connection; resolves to a string, a number, an array or null. */
export async function redisCommand(server, ...args) {
  const wire = await openWire(server)
  try {
    return await wire.call(...args)
  } finally {
    wire.close()
  }
}
