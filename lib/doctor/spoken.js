'use strict'

// What a port speaks: whether it expects TLS, found out without the product, which only speaks what it was configured to.

const net = require('node:net')
const tls = require('node:tls')

const { Deadline } = require('../health/deadline.js')

/** Whether a server at this address replies to a PING without TLS, be it by an error. */
function speaksPlain(address, timeoutMs) {
  return found(timeoutMs, net.connect(address), (socket, resolve) => {
    socket.on('connect', () => socket.write('*1\r\n$4\r\nPING\r\n'))
    socket.on('data', (chunk) => resolve(/^[+-]/.test(chunk.toString('latin1'))))
  })
}

/** Whether a server at this address completes a TLS handshake, whatever its certificate is, or asks for a certificate. */
function speaksTls(address, timeoutMs) {
  const servername = net.isIP(address.host) ? undefined : address.host
  const socket = tls.connect({ ...address, servername, rejectUnauthorized: false })
  return found(timeoutMs, socket, (socket, resolve) => {
    socket.on('secureConnect', () => resolve(true))
    // An alert is TLS too.
    socket.on('error', ({ code }) => resolve(/^ERR_SSL_.*ALERT/.test(code ?? '')))
  })
}

/** What `listen` resolves to; false if the socket ends before, or the time is over. */
async function found(timeoutMs, socket, listen) {
  try {
    return await new Deadline(timeoutMs).race(
      new Promise((resolve) => {
        listen(socket, resolve)
        socket.on('error', () => resolve(false)).on('close', () => resolve(false))
      }),
    )
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** The finding if the port speaks TLS and the settings do not, or the other way round; otherwise undefined. */
async function mismatch({ encrypted, timeoutMs }, address) {
  if (address.path !== undefined) return undefined
  if (encrypted) {
    if (!(await speaksPlain(address, timeoutMs))) return undefined
    return ['tls', 'tls-to-plain', 'the settings ask for TLS, but the server speaks plain text on this port', TO_PLAIN]
  }
  if (!(await speaksTls(address, timeoutMs))) return undefined
  return ['tls', 'plain-to-tls', 'the server expects TLS on this port, but the settings do not ask for it', TO_TLS]
}

const TO_PLAIN =
  'write redis:// in place of rediss:// (REDIS_TLS=false), or use the port of the server that has TLS (tls-port)'
const TO_TLS = 'write rediss:// in place of redis:// (REDIS_TLS=true), or use the port of the server without TLS'

module.exports = { mismatch }
