// What a server runs, as its own MONITOR reports it.

import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createConnection } from 'node:net'

/**
 * Begins to listen to a server. `stop()` returns what it has run since, in order: `{ script, words }`, where `script` says that a
 * script called it and `words` are the command and its arguments, each byte a character.
 */
export async function startMonitor(server) {
  const socket = createConnection({ port: server.port, host: '127.0.0.1' })
  socket.setEncoding('latin1')
  let text = ''
  socket.on('data', (more) => (text += more))
  socket.write('MONITOR\r\n')
  const seen = async (word) => {
    while (!text.includes(word)) await once(socket, 'data')
  }
  await seen('+OK\r\n')
  return {
    async stop() {
      const last = randomUUID()
      await server.command('ECHO', last)
      await seen(last)
      socket.destroy()
      const lines = text.split('\r\n').map((line) => line.match(/^\+[\d.]+ \[\d+ (lua)?[^\]]*\] (.*)$/))
      return lines.filter(Boolean).map(([, lua, words]) => ({ script: lua !== undefined, words: read(words) }))
    },
  }
}

const named = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' }

/** Words as MONITOR quotes them. */
function read(line) {
  const unquoted = (word) =>
    word.replaceAll(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex, char) =>
      hex ? String.fromCharCode(parseInt(hex, 16)) : (named[char] ?? char),
    )
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word]) => unquoted(word))
}
