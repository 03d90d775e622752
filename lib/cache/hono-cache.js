'use strict'

const { getOrRefresh } = require('../cache.js')
const { CONDITIONS } = require('./conditions.js')
const { respondWith } = require('./fetch-cache.js')

/** Responds to the request of a context of Hono: returns the stored response, or nothing if the handler has responded. */
async function respondIn(own, context, next) {
  const request = context.req.raw
  let hasCalled = false
  const respond = async (isStored) => {
    hasCalled = true
    if (isStored) context.req.raw = unconditional(request)
    try {
      await next()
    } finally {
      context.req.raw = request
    }
    return context.res
  }
  // The headers that others have set for this request, read in a way that does not create its response.
  const outer = () => context.body(null).headers
  const whyNotYet = () => {
    if (context.error !== undefined) return 'error'
    // The middleware in front of this one is going to set it.
    return typeof context.get('session')?.setCookie === 'string' ? 'set-cookie' : undefined
  }
  // With the headers that others have set for this request.
  const make = (body, { status, headers }) => context.newResponse(body, { status, headers: new Headers(headers) })
  const ways = { respond, getOrLoad: getOrRefresh, outer, whyNotYet, make }
  const response = await respondWith(own, request, [context], ways)
  if (!hasCalled) return response
  // Otherwise Hono adds the headers of the response that it replaces.
  context.res = undefined
  context.res = response
  return undefined
}

/** The request without its conditions, since another middleware would respond with status 304, which has no body to store. */
function unconditional(request) {
  if (!CONDITIONS.some((name) => request.headers.has(name))) return request
  const headers = new Headers(request.headers)
  for (const name of CONDITIONS) headers.delete(name)
  return new Request(request, { headers })
}

module.exports = { respondIn }
