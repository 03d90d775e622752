// A server of a test's own making, which answers as no sane one does.

import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Listens on a free port of the loopback interface. `answer(words, socket, number)` gets each command as strings, and the
 * number of its connection from 1 on; what it returns, a string or a Buffer, is written as it is. A PING is answered by PONG
 * where it returns nothing. `connections` are how many were made, `url` leads there, and `close()` ends it all.
 */
export async function hostileServer(answer = () => undefined) {
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
        const read = command(rest)
        if (!read) break
        rest = rest.subarray(read.next)
        made.commands.push(read.words)
        const said = answer(read.words, socket, number) ?? (read.words[0] === 'PING' ? '+PONG\r\n' : undefined)
        if (said !== undefined && socket.writable) socket.write(said)
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

/** What a node that is a cluster by itself, at this port, replies to CLUSTER SLOTS. */
export function ownsAllSlots(port) {
  const node = `$9\r\n127.0.0.1\r\n:${port}\r\n$40\r\n${'a'.repeat(40)}\r\n`
  return `*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n${node}`
}

/** The first command in these bytes and where it ends, or undefined while a part of it is missing. */
function command(bytes) {
  let at = 0
  const line = () => {
    const end = bytes.indexOf('\r\n', at)
    if (end < 0) return undefined
    const text = bytes.toString('latin1', at, end)
    at = end + 2
    return text
  }
  const count = line()
  if (count === undefined) return undefined
  const words = []
  for (let i = 0; i < Number(count.slice(1)); i++) {
    const length = line()
    if (length === undefined) return undefined
    const end = at + Number(length.slice(1))
    if (bytes.length < end + 2) return undefined
    words.push(bytes.toString('utf8', at, end))
    at = end + 2
  }
  return { words, next: at }
}

/** Everything that an error, and what caused it, would show to whoever prints it. */
export function shownBy(error) {
  const seen = []
  for (let at = error; at && seen.length < 20; at = at.cause) {
    // Where a key may be shown, it stands in a property of that name.
    const { key: _, ...rest } = at
    seen.push(String(at.message), String(at.stack), JSON.stringify(rest))
  }
  return seen.join('\n')
}
