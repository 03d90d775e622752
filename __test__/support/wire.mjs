// One connection to a Redis server that stays open and on which calls may overlap: what looks after servers many times a
// second, and what proves a topology without the client under test.

import { createConnection } from 'node:net'
import { connect as connectTls } from 'node:tls'

const end = Buffer.from('\r\n')

/**
 * Opens a connection. `call(...args)` answers strings, numbers, arrays or null, and rejects with the server's error, whose
 * message is the server's line. Calls of one turn travel together and are answered in order. `tls` is
 * `{ ca }`, the certificate of whom to trust.
 */
export async function openWire({ port, host = '127.0.0.1', username, password, tls, timeoutMs = 5000 }) {
  const [socket, connected] = tls
    ? [connectTls({ port, host, ca: tls.ca }), 'secureConnect']
    : [createConnection({ port, host }), 'connect']
  socket.setNoDelay(true)
  const waiting = []
  let rest = Buffer.alloc(0)
  let broken

  const fail = (error) => {
    broken ??= error
    socket.destroy()
    for (const call of waiting.splice(0)) call.reject(broken)
  }
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('the connection was closed')))
  // The oldest call is what the silence of a server is measured by.
  socket.setTimeout(timeoutMs, () => waiting.length && fail(new Error(`no answer within ${timeoutMs} ms`)))
  socket.on('data', (chunk) => {
    rest = rest.length ? Buffer.concat([rest, chunk]) : chunk
    let at = 0
    for (;;) {
      const read = reply(rest, at)
      if (!read) break
      at = read.next
      const call = waiting.shift()
      if (read.value instanceof Error) call?.reject(read.value)
      else call?.resolve(read.value)
    }
    rest = rest.subarray(at)
  })

  const wire = {
    get open() {
      return broken === undefined
    },
    call: (...args) => wire.together([args])[0],
    /** Several calls in one write, so that no other call of this connection comes between: a promise for each. */
    together(commands) {
      if (broken) return commands.map(() => Promise.reject(broken))
      const answers = commands.map(() => new Promise((resolve, reject) => waiting.push({ resolve, reject })))
      socket.write(Buffer.concat(commands.map(encode)))
      return answers
    },
    close: () => fail(new Error('this end closed the connection')),
  }
  await new Promise((resolve, reject) => {
    socket.once(connected, resolve)
    socket.once('close', () => reject(broken))
  })
  if (password) await wire.call('AUTH', ...(username ? [username] : []), password)
  return wire
}

function encode(args) {
  const parts = [Buffer.from(`*${args.length}\r\n`)]
  for (const arg of args) {
    const bytes = Buffer.isBuffer(arg) ? arg : Buffer.from(String(arg))
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, end)
  }
  return Buffer.concat(parts)
}

/** The reply that begins at `at` with where it ends, or undefined while a part of it has not come yet. */
function reply(bytes, at) {
  const stop = bytes.indexOf(end, at)
  if (stop < 0) return undefined
  const text = bytes.toString('utf8', at + 1, stop)
  let next = stop + 2
  switch (String.fromCharCode(bytes[at])) {
    case '+':
      return { value: text, next }
    case '-':
      return { value: new Error(text), next }
    case ':':
      return { value: Number(text), next }
    case '$': {
      if (text === '-1') return { value: null, next }
      const close = next + Number(text)
      if (bytes.length < close + 2) return undefined
      return { value: bytes.toString('utf8', next, close), next: close + 2 }
    }
    case '*': {
      if (text === '-1') return { value: null, next }
      const value = []
      for (let i = 0; i < Number(text); i++) {
        const item = reply(bytes, next)
        if (!item) return undefined
        value.push(item.value)
        next = item.next
      }
      return { value, next }
    }
    default:
      throw new Error(`no RESP2: ${text}`)
  }
}
