// A real Redis server of a test's own, and a look into it that uses no client.

import { createConnection } from 'node:net'
import { join } from 'node:path'

import { program } from '../../scripts/system.mjs'
import { background, end, freePort, ready, temporaryFolder } from './processes.mjs'

/**
 * Starts a Redis server on a free port of the loopback interface. It stores nothing on disk and is gone when this process
 * ends. `args` go to the server as they are: `startRedis({ args: ['--requirepass', password] })`, then give `password`
 * (and `username`) too, so that the server can be asked whether it is ready.
 */
export async function startRedis({ args = [], username, password } = {}) {
  const binary = program('redis-server', 'valkey-server')
  if (!binary) throw new Error('redis-server not found: run npm run setup')
  const folder = temporaryFolder('redis')
  const port = await freePort()
  const login = password ? `${username ?? ''}:${password}@` : ''
  let child

  const server = {
    port,
    url: `redis://${login}127.0.0.1:${port}`,
    get running() {
      return child !== undefined
    },
    /** Starts it again on the same port, empty. */
    async start() {
      if (child) return
      const fixed = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder]
      child = background(binary, [...fixed, ...args].map(String), { log: join(folder, 'log') })
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
    },
    /** Lets it hang: connections stay open and nothing answers, until `resume()`. */
    pause: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    /** Runs one command by a connection of its own and answers strings, numbers, arrays or null. */
    command: (...args) => redisCommand({ port, username, password }, ...args),
  }
  await server.start()
  return server
}

/** One command by a connection of its own, in RESP2: strings, numbers, arrays or null. */
export function redisCommand({ port, username, password }, ...args) {
  const commands = [args, ['QUIT']]
  if (password) commands.unshift(['AUTH', ...(username ? [username] : []), password])
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: '127.0.0.1' })
    const received = []
    socket.setTimeout(5000, () => socket.destroy(new Error(`no answer to ${args[0]}`)))
    socket.on('error', reject)
    socket.on('data', (chunk) => received.push(chunk))
    socket.on('end', () => {
      try {
        const parse = parser(Buffer.concat(received))
        const replies = commands.map(parse)
        const failed = replies.find((reply) => reply instanceof Error)
        if (failed) reject(failed)
        else resolve(replies.at(-2))
      } catch (error) {
        reject(error)
      }
    })
    socket.write(Buffer.concat(commands.map(encode)))
  })
}

function encode(args) {
  const parts = args.map((arg) => (Buffer.isBuffer(arg) ? arg : Buffer.from(String(arg))))
  const end = Buffer.from('\r\n')
  const encoded = parts.flatMap((part) => [Buffer.from(`$${part.length}\r\n`), part, end])
  return Buffer.concat([Buffer.from(`*${parts.length}\r\n`), ...encoded])
}

function parser(bytes) {
  let at = 0
  const line = () => {
    const stop = bytes.indexOf('\r\n', at)
    if (stop < 0) throw new Error('the server closed the connection')
    const text = bytes.toString('utf8', at, stop)
    at = stop + 2
    return text
  }
  return function parse() {
    const head = line()
    const rest = head.slice(1)
    switch (head[0]) {
      case '+':
        return rest
      case '-':
        return new Error(rest)
      case ':':
        return Number(rest)
      case '$': {
        if (rest === '-1') return null
        const start = at
        at += Number(rest) + 2
        return bytes.toString('utf8', start, at - 2)
      }
      case '*':
        return rest === '-1' ? null : Array.from({ length: Number(rest) }, parse)
      default:
        throw new Error(`no RESP2: ${head}`)
    }
  }
}
