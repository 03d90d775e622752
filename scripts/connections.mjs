// `npm run connections`: open connections end with their session.  npm run connections -- --sockets 10000 --processes 4 --lease 15000 --p99 200
//
// Several processes send events to clients over HTTP, each bound to a session. Then all sessions of users are signed out, some users at a
// time, and how long it takes until the client sees the end is measured. At last one process is cut off from the server: it must end its
// connections once its lease is over, and no other process may list them any more.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const SOCKETS_PER_USER = 10
// Users who are signed out at the same time.
const TOGETHER = 20

async function lead() {
  const { values } = parseArgs({
    options: {
      sockets: { type: 'string', default: '10000' },
      processes: { type: 'string', default: '4' },
      lease: { type: 'string', default: '15000' },
      p99: { type: 'string', default: '200' },
    },
  })
  const [sockets, processes, leaseMs] = [values.sockets, values.processes, values.lease].map(Number)
  const { startRedis } = await import('../__test__/support/redis.mjs')
  const { RedisService, SessionManager } = await addon()
  const server = await startRedis()
  const link = await startLink(server.port)
  const service = new RedisService({ url: server.url, log: false, timeoutMs: 60_000 })
  const sessions = new SessionManager(service)
  const workers = Array.from({ length: processes }, (_, index) =>
    fork(fileURLToPath(import.meta.url), {
      env: { PATH: process.env.PATH, LEASE: leaseMs, URL_OF_SERVER: index === 0 ? link.url : server.url },
    }),
  )
  const ports = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]))

  const users = Array.from({ length: Math.ceil(sockets / SOCKETS_PER_USER) }, (_, n) => `user ${n}`)
  const open = async (user) => {
    const clients = []
    for (let n = 0; n < SOCKETS_PER_USER; n++) {
      const token = await sessions.createSession(user, {}, { ttl: 3600 })
      clients.push(openStream(ports[n % processes], token))
    }
    return { user, clients: await Promise.all(clients) }
  }
  const all = []
  for (const some of portions(users, TOGETHER)) all.push(...(await Promise.all(some.map(open))))
  const cut = all.splice(0, Math.ceil(all.length / 10))

  const delays = []
  for (const some of portions(all, TOGETHER)) {
    const from = performance.now()
    await Promise.all(some.map(({ user }) => sessions.invalidateUser(user)))
    await Promise.all(
      some.flatMap(({ clients }) => clients.map(async ({ ended }) => delays.push((await ended) - from))),
    )
  }

  link.cut()
  const from = performance.now()
  const behind = cut.flatMap(({ clients }) => clients.filter((_, n) => n % processes === 0))
  const late = await Promise.all(behind.map(async ({ ended }) => (await ended) - from))
  // What others list is what the store has: leases that are over have expired there.
  await sleep(leaseMs / 3)
  const listed = await Promise.all(cut.map(({ user }) => sessions.connections(user)))
  const others = cut.length * SOCKETS_PER_USER - behind.length
  const still = cut.flatMap(({ clients }) => clients.filter(({ isEnded }) => !isEnded())).length

  for (const worker of workers) worker.kill()
  await service.disconnect()
  const result = {
    sockets: delays.length,
    processes,
    p50: quantile(delays, 0.5),
    p99: quantile(delays, 0.99),
    most: Math.round(Math.max(...delays)),
    cutOff: {
      sockets: late.length,
      first: Math.round(Math.min(...late)),
      last: Math.round(Math.max(...late)),
      leaseMs,
    },
    othersOpen: still,
    othersListed: listed.flat().length,
    others,
  }
  console.log(JSON.stringify(result))
  const isRight = still === others && listed.flat().length === others && Math.max(...late) <= leaseMs + 2000
  const isFast = result.p99 <= Number(values.p99)
  process.exitCode = isRight && isFast ? 0 : 1
}

async function work() {
  const { createServer } = await import('node:http')
  const { RedisService, SessionManager } = await addon()
  const service = new RedisService({ url: process.env.URL_OF_SERVER, log: false, timeoutMs: 60_000 })
  const sessions = new SessionManager(service, { connections: { leaseMs: Number(process.env.LEASE) } })
  const server = createServer(async (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const connection = await sessions.bind(await sessions.fromRequest(request), response)
    if (connection) response.write('data: bound\n\n')
  })
  server.listen(0, '127.0.0.1', () => process.send(server.address().port))
  process.on('disconnect', () => process.exit())
}

/** Opens a stream of events; resolves once it is bound. `ended` resolves to when it ended. */
async function openStream(port, token) {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.write(`GET / HTTP/1.1\r\nhost: a.test\r\nauthorization: Bearer ${token}\r\n\r\n`)
  let text = ''
  let isEnded = false
  const ended = new Promise((resolve) => {
    const end = () => {
      isEnded = true
      socket.destroy()
      resolve(performance.now())
    }
    socket.on('error', end).on('close', end)
    // The last chunk of the response; the connection itself may be kept for the next request.
    socket.on('data', (chunk) => chunk.toString().endsWith('0\r\n\r\n') && end())
  })
  await new Promise((resolve, reject) => {
    socket.on('data', (chunk) => (text += chunk).includes('data: bound') && resolve())
    ended.then(() => reject(new Error(`a stream ended before it was bound: ${text}`)))
  })
  return { ended, isEnded: () => isEnded }
}

/** A way to the server that can be cut. */
async function startLink(port) {
  const sockets = new Set()
  let isCut = false
  const server = createServer((near) => {
    const far = connect({ port, host: '127.0.0.1' })
    for (const [one, other] of [
      [near, far],
      [far, near],
    ]) {
      sockets.add(one)
      one.pipe(other)
      one.on('error', () => other.destroy()).on('close', () => (sockets.delete(one), other.destroy()))
    }
    if (isCut) near.destroy()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  server.unref()
  return {
    url: `redis://127.0.0.1:${server.address().port}`,
    cut() {
      isCut = true
      for (const socket of sockets) socket.destroy()
    },
  }
}

const addon = async () => (await import('../index.js')).default

function* portions(list, size) {
  for (let at = 0; at < list.length; at += size) yield list.slice(at, at + size)
}

function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b)
  return Math.round(sorted[Math.floor((sorted.length - 1) * part)])
}

await (process.send ? work() : lead())
