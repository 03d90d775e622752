/** A redis-server (or valkey-server) of our own on a free port, that keeps nothing on disk. */
import { execFileSync, spawn } from 'node:child_process'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'

const READY_MS = 10_000

export async function startServer() {
  const program = findProgram()
  const port = await freePort()
  const child = spawn(
    program,
    ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', tmpdir()].map(String),
    { stdio: 'ignore' },
  )
  const stopNow = () => child.kill('SIGKILL')
  process.once('exit', stopNow)
  const address = { host: '127.0.0.1', port, url: `redis://127.0.0.1:${port}` }
  await answering(address, child)
  return {
    ...address,
    pid: child.pid,
    version: versionOf(program),
    send: (commands) => send(address, commands),
    async stop() {
      process.off('exit', stopNow)
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await gone
    },
  }
}

/** Sends commands as one pipeline and waits for as many one-line replies. */
export function send({ host, port }, commands) {
  return new Promise((resolve, reject) => {
    let missing = commands.length
    const socket = connect({ host, port })
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      const text = chunk.toString('latin1')
      if (text.startsWith('-')) return reject(new Error(text.split('\r\n')[0]))
      missing -= text.split('\n').length - 1
      if (missing <= 0) resolve(socket.destroy())
    })
    socket.write(commands.map(encode).join(''))
  })
}

const encode = (parts) =>
  `*${parts.length}\r\n` + parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')

function findProgram() {
  const candidates = process.env.REDIS_SERVER ? [process.env.REDIS_SERVER] : ['redis-server', 'valkey-server']
  for (const program of candidates) {
    try {
      execFileSync(program, ['--version'], { stdio: 'ignore' })
      return program
    } catch {
      continue
    }
  }
  throw new Error(`no ${candidates.join(' or ')} found: install it (Debian: apt-get install redis-server)`)
}

function versionOf(program) {
  const text = execFileSync(program, ['--version'], { encoding: 'utf8' })
  return `${/valkey/i.test(text) ? 'Valkey' : 'Redis'} ${/v=([\d.]+)/.exec(text)?.[1] ?? '?'}`
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().on('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
}

async function answering(address, child) {
  const deadline = Date.now() + READY_MS
  while (Date.now() < deadline && child.exitCode === null) {
    try {
      return await send(address, [['PING']])
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  throw new Error(`the server did not answer on port ${address.port}`)
}
