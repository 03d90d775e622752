'use strict'

// Several limits of a request share these fields; of the others, those of the limit next to the handler count.
const LISTS = new Set(['RateLimit', 'RateLimit-Policy'])

/**
 * The headers to set for a limit on a response that may have those of others: `get(name)` returns the value that a header has. `isOuter` says
 * that the others are of limits closer to the handler.
 */
function merged(headers, get, isOuter) {
  return Object.entries(headers).flatMap(([name, value]) => {
    const known = get(name)
    if (known === undefined || known === null) return [[name, value]]
    if (!LISTS.has(name)) return isOuter ? [] : [[name, value]]
    return [[name, isOuter ? `${value}, ${known}` : `${known}, ${value}`]]
  })
}

module.exports = { merged }
