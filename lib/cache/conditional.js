'use strict'

const { dateOf } = require('./freshness.js')

const TAGS = /(?:W\/)?("[^"]*")/g
/** Headers that describe the body, which a response with status 304 does not have. */
const OF_BODY = /^content-(?!location$|security-policy)/i

/** Returns a stored response, or one with status 304 if the client has it already. `asked` are the headers of the request. */
function revalidated(asked, response) {
  if (response.status !== 200 || !isFresh(asked, new Headers(response.headers))) return response
  const headers = response.headers.filter(([name]) => !OF_BODY.test(name))
  return { ...response, status: 304, statusText: '', headers, body: null }
}

/** Whether the client has this response: by its entity tag if it sends any, otherwise by its date (RFC 9110, 13.1). */
function isFresh(asked, given) {
  const tags = asked.get('if-none-match')
  if (tags !== null) {
    const own = given.get('etag')?.match(/"[^"]*"/)?.[0]
    return tags.trim() === '*' || (own !== undefined && [...tags.matchAll(TAGS)].some(([, tag]) => tag === own))
  }
  return dateOf(given.get('last-modified') ?? '') <= dateOf(asked.get('if-modified-since') ?? '')
}

module.exports = { OF_BODY, isFresh, revalidated }
