'use strict'

const { assertFunction } = require('../options.js')
const { copyOfResponse, isResponse } = require('../response-copy.js')
const { admit, guardOptions } = require('./guard.js')
const { merged } = require('./list-fields.js')
const { remoteAddressOf } = require('./remote-address.js')

/** A handler of fetch requests, in front of which stands a limit. */
function withRateLimit(handler, options) {
  return limited(handler, options, () => 500)
}

/** The same, where `statusOf(error)` is the status of a response that the handler throws. */
function limited(handler, options, statusOf) {
  assertFunction(handler, 'handler')
  const guard = guardOptions(options)
  return async (request, ...rest) => {
    const args = [request, ...rest]
    const { headers, settle, refusal, result } = await admit(guard, request, {
      args,
      remoteAddress: remoteAddressOf(rest[0], request),
    })
    if (refusal) return refused(guard, args, refusal, result)
    let response
    try {
      response = await handler(...args)
    } catch (error) {
      await settle(statusOf(error))
      throw error
    }
    await settle(response.status)
    return withHeaders(response, headers)
  }
}

/** The response to a refused request: that of `onRefused`, if it returns one. */
async function refused({ onRefused }, args, refusal, result) {
  const own = result && (await onRefused?.(args[0], result, ...args.slice(1)))
  if (!isResponse(own)) return new Response(refusal.body, refusal)
  const { 'Content-Type': _, ...headers } = refusal.headers
  return withHeaders(own, headers)
}

// The headers of `Response.redirect()` and of what `fetch` returns cannot change. `Response.error()`, and a response whose body has been
// read, cannot be copied either: the handler's response matters more than the headers.
function withHeaders(response, headers) {
  for (const copy of [() => response, () => copyOfResponse(response)]) {
    try {
      return setHeaders(copy(), headers)
    } catch {
      // The next one may take them.
    }
  }
  return response
}

function setHeaders(response, headers) {
  for (const [name, value] of merged(headers, (name) => response.headers.get(name), true))
    response.headers.set(name, value)
  return response
}

module.exports = { limited, refused, withRateLimit }
