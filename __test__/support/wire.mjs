// A connection to a Redis server that stays open and on which calls may overlap. It polls servers many times a second, and
// checks them without the client under test.

import { createConnection } from 'node:net'
import { connect as connectTls } from 'node:tls'

import { decode, encode } from './resp.mjs'

const CLOSED = 'the connection was closed'

/** Whether a call failed since the server closed its connection; with a command unread, that is a reset. */
export const wasClosed = ({ message, code }) => message === CLOSED || code === 'ECONNRESET' || code === 'EPIPE'

/**
 * Opens a connection. `call(...args)` resolves to a string, a number, an array or null, and rejects with the server's error,
 * whose message is the server's line. With `tls`, which is `{ ca }`, it trusts that certificate authority alone. The connection
 * fails when it has been idle for `timeoutMs` while a call is pending; Infinity waits for as long as it takes.
 */
export async function openWire({ port, host = '127.0.0.1', username, password, tls, timeoutMs = 5000 }) {
  const [socket, connected] = tls
    ? [connectTls({ port, host, ca: tls.ca }), 'secureConnect']
    : [createConnection({ port, host }), 'connect']
  socket.setNoDelay(true)
  const pending = []
  let rest = Buffer.alloc(0)
  let broken

  const fail = (error) => {
    broken ??= error
    socket.destroy()
    for (const call of pending.splice(0)) call.reject(broken)
  }
  socket.on('error', fail)
  socket.on('close', () => fail(new Error(CLOSED)))
  // Without it a lost reply would hang the test instead of failing it.
  if (timeoutMs !== Infinity) {
    socket.setTimeout(timeoutMs, () => pending.length && fail(new Error(`no reply within ${timeoutMs} ms`)))
  }
  socket.on('data', (chunk) => {
    rest = rest.length ? Buffer.concat([rest, chunk]) : chunk
    let at = 0
    for (;;) {
      const read = decode(rest, at)
      if (!read) break
      at = read.next
      const call = pending.shift()
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
    /** Sends several calls in one write, so that no other call of this connection comes between; returns a promise for each. */
    together(commands) {
      if (broken) return commands.map(() => Promise.reject(broken))
      const replies = commands.map(() => new Promise((resolve, reject) => pending.push({ resolve, reject })))
      socket.write(Buffer.concat(commands.map(encode)))
      return replies
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
