'use strict'

/** Calls `action` once, immediately before the headers of a response of Node.js are sent. */
function beforeHeaders(response, action) {
  const { writeHead } = response
  response.writeHead = (...args) => {
    response.writeHead = writeHead
    const [status, ...rest] = args
    const headers = rest.at(-1)
    // Set one by one, since headers that are passed here would replace what `action` adds.
    if (typeof headers === 'object' && headers !== null) setHeaders(response, headers)
    action()
    const message = typeof rest[0] === 'string' ? [rest[0]] : []
    return writeHead.call(response, status, ...message)
  }
}

// An object, or a flat list of names and values.
function setHeaders(response, headers) {
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value)
    return
  }
  const pairs = headers.every(Array.isArray) ? headers.flat() : headers
  for (let at = 0; at < pairs.length; at += 2) response.removeHeader(pairs[at])
  for (let at = 0; at < pairs.length; at += 2) response.appendHeader(pairs[at], pairs[at + 1])
}

module.exports = { beforeHeaders }
