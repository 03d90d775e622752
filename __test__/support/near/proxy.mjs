// A relay in front of a server that can stop, delay and cut the connections over which changes are pushed.

import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/** `pushes()` are the sockets of the clients that asked for pushes, each with `freeze(ms)` and `cut()`. */
export async function relay(port) {
  const clients = new Set()
  const server = createServer((client) => {
    const upstream = connect({ port, host: '127.0.0.1', noDelay: true })
    client.setNoDelay(true)
    const entry = { isPush: false, client, upstream }
    clients.add(entry)
    client.on('data', (bytes) => {
      if (bytes.includes('HELLO')) entry.isPush = true
      upstream.write(bytes)
    })
    upstream.on('data', (bytes) => client.write(bytes))
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ]) {
      one
        .on('error', () => {})
        .on('close', () => {
          clients.delete(entry)
          other.destroy()
        })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: server.address().port,
    /** Nothing that the server says on these connections arrives for so long. */
    freezePushes(ms) {
      for (const { upstream } of pushesOf(clients)) {
        upstream.pause()
        setTimeout(() => upstream.resume(), ms)
      }
    },
    /** The connections end. */
    cutPushes() {
      for (const { client } of pushesOf(clients)) client.destroy()
    },
    /** Nothing arrives any more, in either direction, and nothing ends. */
    strandPushes() {
      for (const { client, upstream } of pushesOf(clients)) {
        upstream.pause()
        client.pause()
      }
    },
    close() {
      for (const { client } of clients) client.destroy()
      server.close()
    },
  }
}

const pushesOf = (clients) => [...clients].filter(({ isPush }) => isPush)
