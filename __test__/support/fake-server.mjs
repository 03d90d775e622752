// A server whose replies a test chooses, valid or not.

import { once } from 'node:events'
import { createServer } from 'node:net'

import { decode } from './resp.mjs'

/**
 * Listens on a free port of the loopback interface. `reply(words, socket, number)` gets each command as strings, and the
 * number of its connection, from 1; what it returns, a string or a Buffer, is written as it is. Where it returns nothing, a
 * PING gets PONG, and any other command no reply. `connections` counts those made, `commands` lists what they sent, and
 * `close()` ends them and the server.
 */
export async function fakeServer(reply = () => undefined) {
  const sockets = new Set()
  const made = { connections: 0, commands: [] }
  const server = createServer((socket) => {
    const number = ++made.connections
    sockets.add(socket)
    let rest = Buffer.alloc(0)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk])
      for (;;) {
        const read = decode(rest)
        if (!read) break
        rest = rest.subarray(read.next)
        const words = read.value
        made.commands.push(words)
        const bytes = reply(words, socket, number) ?? (words[0] === 'PING' ? '+PONG\r\n' : undefined)
        if (bytes !== undefined && socket.writable) socket.write(bytes)
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(made, {
    sockets,
    port: server.address().port,
    url: `redis://127.0.0.1:${server.address().port}`,
    async close() {
      sockets.forEach((socket) => socket.destroy())
      server.close()
      await once(server, 'close')
    },
  })
}

/** The reply to CLUSTER SLOTS of a node at this port that owns all slots. */
export function ownsAllSlots(port) {
  const node = `$9\r\n127.0.0.1\r\n:${port}\r\n$40\r\n${'a'.repeat(40)}\r\n`
  return `*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n${node}`
}
