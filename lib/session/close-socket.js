'use strict'

const { later } = require('../clock.js')

// As HTTP's 401: the client has to sign in again before it connects again.
const CLOSE_CODE = 4401
// How long the other side may take to close before the connection is cut.
const CLOSE_MS = 1000

/**
 * Returns a function that closes `socket` with a reason, or `undefined` for what cannot be closed: a WebSocket (of browsers, ws, Deno or
 * Bun), a stream of Node.js such as the response that sends events, the controller of a ReadableStream, an AbortController, or a function.
 */
function closerOf(socket) {
  if (typeof socket === 'function') return socket
  if (typeof socket !== 'object' || socket === null) return undefined
  const has = (name) => typeof socket[name] === 'function'
  if (has('abort') && 'signal' in socket) return () => socket.abort()
  if (has('close') && typeof socket.readyState === 'number') return () => closeWebSocket(socket)
  if (has('end') && has('destroy')) return () => endStream(socket)
  return has('close') ? () => socket.close() : undefined
}

/** Calls `closed` once the socket is closed, if it says so. Returns whether it is closed already. */
function whenClosed(socket, closed) {
  if (typeof socket === 'function') return false
  if (typeof socket.addEventListener === 'function') socket.addEventListener('close', closed, { once: true })
  else if (typeof socket.once === 'function') socket.once('close', closed)
  return socket.readyState === 3 || socket.destroyed === true
}

function closeWebSocket(socket) {
  if (typeof socket.terminate === 'function') soon(() => socket.readyState !== 3 && socket.terminate())
  socket.close(CLOSE_CODE, 'session ended')
}

function endStream(stream) {
  soon(() => !stream.destroyed && stream.destroy())
  stream.end()
}

function soon(callback) {
  later(
    CLOSE_MS,
    () => {
      try {
        callback()
      } catch {
        // It is closed.
      }
    },
    false,
  )
}

module.exports = { closerOf, whenClosed }
