// When the store handed jobs out: its MONITOR shows the ends of their leases. A job begins a moment later, and the server reports
// the call of a script a moment before the script asks for the time.

import { EventEmitter, once } from 'node:events'
import { createConnection } from 'node:net'

import { has } from '../../../__test__/support/server-features.mjs'

/** By how many µs the clock of a script may be behind that of MONITOR. */
const BEHIND = has.oneClock ? 0 : 10

/** A call of a client or of a script: when, in s and µs, whether of a script, and its words. */
const LINE = /^\+(\d+)\.(\d{6}) \[\d+ (lua)?[^\]]*\] (.*)$/
const LEASED = '"ZADD" "queue:{queue:proof}:leased" '

/**
 * Watches the queue `proof` of a server until `stop()`, which returns the first time that each job was handed out by the store's
 * clock, in µs and in order: `{ what: 'start', at, id }`. A time that is not between the call and its report throws.
 */
export async function watchHandOuts(server, { leaseMs }) {
  const socket = createConnection({ port: server.port, host: '127.0.0.1' }).setEncoding('latin1')
  const taken = new Map()
  const end = new EventEmitter()
  let [rest, began, read] = ['', 0, 0]
  socket.on('data', (text) => {
    const lines = (rest + text).split('\r\n')
    rest = lines.pop()
    for (const line of lines) {
      read++
      const [, seconds, micros, script, words] = LINE.exec(line) ?? []
      if (words === '"ECHO" "the end"') end.emit('reported')
      const reported = Number(seconds) * 1e6 + Number(micros)
      if (!script) began = reported
      else if (words.startsWith(LEASED)) noteAll(words.slice(LEASED.length), reported)
    }
  })
  const wrong = []
  const noteAll = (words, reported) => {
    for (const [, leaseEnd, id] of words.matchAll(/"(\d+)" "((?:[^"\\]|\\.)*)"/g)) {
      if (taken.has(id)) continue
      const at = (Number(leaseEnd) - leaseMs) * 1000
      // The script's time is cut to whole milliseconds.
      if (at <= began - 1000 - BEHIND || at > reported)
        wrong.push(`job ${id}: at ${at} µs, called ${began}, reported ${reported}`)
      taken.set(id, { what: 'start', at, id })
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
      if (wrong.length > 0) throw new Error(`${wrong.length} leases have a wrong end: ${wrong[0]}`)
      return [...taken.values()]
    },
  }
}
