// A name for a server that can be given to another one: a load balancer or a service name in small.

import { connect, createServer } from 'node:net'
import { once } from 'node:events'

/**
 * Listens on a free port and passes connections on to `target()`, asked anew for each; those that are open stay with the
 * server that they were made to.
 */
export async function forward(target) {
  const sockets = new Set()
  const server = createServer((near) => {
    const far = connect(target(), '127.0.0.1')
    for (const [one, other] of [
      [near, far],
      [far, near],
    ]) {
      sockets.add(one)
      one.setNoDelay(true)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const forwarder = {
    port: server.address().port,
    accepted: 0,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
  server.on('connection', () => forwarder.accepted++)
  return forwarder
}
