// One chat server: the page over HTTP, and a WebSocket for each window. It shares nothing with the other but Redis.
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { RateLimiter, RealtimeDataManager, RedisService } from '../../index.js'
import { pages } from './pages.mjs'
import { visit } from './visit.mjs'

const { LABEL = 'A', PORT = '4000', PORTS = PORT, LEASE_MS = '5000' } = process.env
const MAX_MESSAGE_BYTES = 4096
/** How often each window gets a heartbeat and a ping, in milliseconds; a window without a pong since the last one is disconnected. */
const BEAT_MS = 2000

/** The origins of the servers, with both names of this machine. Pages of other sites must not connect. */
const origins = PORTS.split(',').flatMap((port) => [`http://localhost:${port}`, `http://127.0.0.1:${port}`])

const service = new RedisService()
const rooms = new RealtimeDataManager(service, { leaseMs: Number(LEASE_MS) })
const limiter = new RateLimiter(service)

const http = createServer(pages({ origins }))
const sockets = new WebSocketServer({
  server: http,
  path: '/chat',
  maxPayload: MAX_MESSAGE_BYTES,
  verifyClient: ({ origin }) => origins.includes(origin),
})

sockets.on('connection', (socket) => {
  socket.alive = true
  socket.on('pong', () => (socket.alive = true))
  socket.on('error', () => socket.terminate())
  visit(socket, { rooms, limiter, label: LABEL, origins })
})

const beats = setInterval(() => {
  for (const socket of sockets.clients) {
    if (!socket.alive) {
      socket.terminate()
      continue
    }
    socket.alive = false
    socket.ping()
    // Scripts of a page do not see pings, so this says that its server works, and whether Redis is connected.
    socket.send(JSON.stringify({ type: 'beat', redis: service.isConnected }))
  }
}, BEAT_MS)

let stopping = false

/** Ends all memberships at once; only after a crash do users stay until the lease expires. */
async function stop() {
  if (stopping) return
  stopping = true
  // Nothing that hangs may keep the process alive; the timer itself does not.
  setTimeout(() => process.exit(1), 5000).unref()
  clearInterval(beats)
  for (const socket of sockets.clients) socket.close(1001, 'the server is stopping')
  http.close()
  http.closeIdleConnections()
  await service.disconnect()
  process.exit(0)
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, stop)
process.on('disconnect', stop)

http.on('error', (error) => {
  console.error(`Server ${LABEL} cannot listen: ${error.message}`)
  process.exit(1)
})
http.listen(Number(PORT), '127.0.0.1', () => process.send?.('ready'))
