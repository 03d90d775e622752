'use strict'

/**
 * The address of the connection, from what a server passes beside a request of fetch: Deno's information, Bun's server, the messages of
 * Node.js that @hono/node-server passes. `undefined` if it has none.
 */
function remoteAddressOf(beside, request) {
  if (typeof beside !== 'object' || beside === null) return undefined
  try {
    if (beside.incoming) return beside.incoming.socket?.remoteAddress
    if (beside.remoteAddr) return beside.remoteAddr.hostname
    const server = typeof beside.requestIP === 'function' ? beside : beside.server
    return typeof server?.requestIP === 'function' ? server.requestIP(request)?.address : undefined
  } catch {
    // A closed connection, or something else of these names.
    return undefined
  }
}

module.exports = { remoteAddressOf }
