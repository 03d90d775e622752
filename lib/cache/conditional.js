'use strict'

// Of a response without its body: RFC 9110, 15.4.5.
const KEPT = [
  'age',
  'cache-control',
  'cache-status',
  'content-location',
  'date',
  'etag',
  'expires',
  'last-modified',
  'vary',
]
const TAGS = /(?:W\/)?("[^"]*")/g

/** The response to a request that may have it already: status 304 if it has, without a body for HEAD. */
function respondTo(request, response) {
  if (response.status === 200 && isFresh(request.headers, response.headers)) {
    const headers = KEPT.filter((name) => response.headers.has(name)).map((name) => [name, response.headers.get(name)])
    return new Response(null, { status: 304, headers })
  }
  return request.method === 'HEAD' ? new Response(null, response) : response
}

/** Whether the client has this response: by its entity tag if it sends any, otherwise by its date (RFC 9110, 13.1). */
function isFresh(asked, given) {
  const tags = asked.get('if-none-match')
  if (tags !== null) {
    const own = given.get('etag')?.match(/"[^"]*"/)?.[0]
    return tags.trim() === '*' || (own !== undefined && [...tags.matchAll(TAGS)].some(([, tag]) => tag === own))
  }
  const [since, modified] = [asked.get('if-modified-since'), given.get('last-modified')].map((date) => Date.parse(date))
  return modified <= since
}

module.exports = { respondTo }
