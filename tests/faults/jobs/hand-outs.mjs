// When the store handed jobs out, as its MONITOR reports it: a job begins a moment later, and that moment is not the store's.

import { EventEmitter, once } from 'node:events'
import { createConnection } from 'node:net'

/** A call of a client or of a script: when, in µs, whether of a script, and its words. */
const LINE = /^\+(\d+)\.(\d{6}) \[\d+ (lua)?[^\]]*\] (.*)$/
const LEASES = '"HSET" "queue:{queue:proof}:leases" '

/**
 * Watches the queue `proof` of a server until `stop()`, which returns the first time that each job was handed out, in order:
 * `{ what: 'start', at, id }`.
 */
export async function watchHandOuts(server) {
  const socket = createConnection({ port: server.port, host: '127.0.0.1' }).setEncoding('latin1')
  const taken = new Map()
  const end = new EventEmitter()
  // A script computes with the time at which it began.
  let [rest, began, read] = ['', 0, 0]
  socket.on('data', (text) => {
    const lines = (rest + text).split('\r\n')
    rest = lines.pop()
    for (const line of lines) {
      read++
      const [, seconds, micros, script, words] = LINE.exec(line) ?? []
      if (words === '"ECHO" "the end"') end.emit('reported')
      if (!script) began = Number(seconds) * 1e6 + Number(micros)
      else if (words.startsWith(LEASES)) noteAll(words.slice(LEASES.length), began)
    }
  })
  const noteAll = (words, at) => {
    const [...fields] = words.matchAll(/"((?:[^"\\]|\\.)*)"/g)
    for (let i = 0; i < fields.length; i += 2) {
      const id = fields[i][1]
      if (!taken.has(id)) taken.set(id, { what: 'start', at, id })
    }
  }
  socket.write('MONITOR\r\n')
  while (read === 0) await once(socket, 'data')
  return {
    async stop() {
      // Whatever it ran before it has reported by then.
      const reported = once(end, 'reported')
      await server.command('ECHO', 'the end')
      await reported
      socket.destroy()
      return [...taken.values()]
    },
  }
}
