// Two chat servers on one Redis, and what to try with them.
import { fork } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { main } from '../../scripts/run.mjs'
import { choosePorts } from './ports.mjs'
import { chooseRedis } from './redis.mjs'

const folder = fileURLToPath(new URL('.', import.meta.url))
const LABELS = ['A', 'B']

let stopping = false

await main(async () => {
  const redis = await chooseRedis(process.env)
  const ports = await choosePorts(process.env, LABELS.length)
  const servers = LABELS.map((label, n) => ({ label, port: ports[n], child: null }))
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop(servers, redis))
  for (const server of servers) await start(server, { redis, ports })
  explain(servers, redis)
  if (process.stdin.isTTY) startAgainOnEnter(servers, { redis, ports })
})

/** Starts one server and waits until it listens. It ends with this process in any case: when its IPC channel closes. */
function start(server, { redis, ports }) {
  const env = { ...process.env, LABEL: server.label, PORT: server.port, PORTS: ports.join(), REDIS_URL: redis.url }
  const child = fork(`${folder}server.mjs`, { env })
  server.child = child
  child.on('exit', (status, signal) => {
    if (server.child === child) server.child = null
    if (stopping || status) return
    console.log(`\n  Server ${server.label} has ended (${signal ?? 'it stopped'}). Its users leave within seconds.`)
    if (process.stdin.isTTY) console.log('  Press Enter to start it again.')
  })
  return new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('exit', () => reject(new Error(`server ${server.label} did not start`)))
  })
}

function explain(servers, redis) {
  console.log(`\n  cinnabar chat      ${redis.label}`)
  for (const { label, port, child } of servers) {
    console.log(`  server ${label}           http://localhost:${port}   process ${child.pid}`)
  }
  const [a, b] = servers
  console.log(`
  Try this
    1. Open both addresses, enter with two names, and talk from one server to the other.
    2. Untick "reconnect automatically" in the window on ${a.label}, then kill its server as a crash would:
         kill -9 ${a.child.pid}
       The user leaves in the other window after some seconds: server ${b.label} noticed and removed the membership.
    3. Say something in the other window, then tick it again: the first window connects to server ${b.label} and shows what
       it missed.
  stop               Ctrl-C
`)
}

function startAgainOnEnter(servers, settings) {
  createInterface({ input: process.stdin }).on('line', async () => {
    for (const server of servers.filter(({ child }) => child === null)) {
      await start(server, settings)
      console.log(`  Server ${server.label} is back: http://localhost:${server.port}   process ${server.child.pid}`)
    }
  })
}

async function stop(servers, redis) {
  // A second Ctrl-C stops at once.
  if (stopping) process.exit(130)
  stopping = true
  const running = servers.map(({ child }) => child).filter(Boolean)
  await Promise.all(
    running.map((child) => {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      return ended
    }),
  )
  await redis.stop()
  process.exit(0)
}
