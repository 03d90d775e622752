'use strict'

/** Calls `action` once, immediately before the headers of a response of Node.js are sent. */
function beforeHeaders(response, action) {
  const { writeHead } = response
  let isDone = false
  response.writeHead = (status, ...rest) => {
    const headers = rest.find((argument) => typeof argument === 'object' && argument !== null)
    // Set one by one, since headers that are passed here would replace what `action` adds.
    if (headers) setHeaders(response, headers)
    if (!isDone) action()
    const message = rest.filter((argument) => typeof argument === 'string')
    const written = writeHead.call(response, status, ...message)
    // Not before: it throws for an invalid status, and the response to that error needs the cookie too.
    isDone = true
    return written
  }
}

/** Sets headers as `writeHead` takes them: an object, or a flat list of names and values. */
function setHeaders(response, headers) {
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value)
    return
  }
  const pairs = headers.every(Array.isArray) ? headers.flat() : headers
  const values = new Map()
  for (let at = 0; at < pairs.length; at += 2) {
    const name = String(pairs[at]).toLowerCase()
    values.set(name, [...(values.get(name) ?? []), pairs[at + 1]])
  }
  for (const [name, all] of values) response.setHeader(name, all.length === 1 ? all[0] : all)
}

module.exports = { beforeHeaders, setHeaders }
