'use strict'

const { beforeHeaders } = require('../session/before-headers.js')
const { CACHE } = require('./stored-response.js')

/** The headers that Node.js or Fastify has collected, as those of fetch; `undefined` if they cannot be. */
function headersOf(collected) {
  try {
    const headers = new Headers()
    for (const [name, value] of Object.entries(collected)) {
      // HTTP/2 has the status among them.
      if (name.startsWith(':')) continue
      for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) headers.append(name, String(one))
    }
    return headers
  } catch {
    return undefined
  }
}

/**
 * Says in a response what this cache did (RFC 9211), after what `others` have said: caches nearer to the handler. `response` is one of Node.js or
 * a reply of Fastify.
 */
function mark(response, status, others = statusOf(response)) {
  const set = response.setHeader ?? response.header
  set.call(response, 'Cache-Status', [...others, `${CACHE}; ${status}`].join(', '))
}

/** What caches have said in a response so far. */
function statusOf(response) {
  return [response.getHeader('cache-status') ?? []].flat()
}

/** The same as soon as the headers are sent. */
function markWhenSent(response, status) {
  beforeHeaders(response, () => mark(response, status))
}

/** The headers of a stored response, to set on one of Node.js or a reply of Fastify: pairs of a name and a value, or several. */
function toSet({ headers }, response) {
  const values = new Map()
  for (const [name, value] of headers) {
    values.set(name.toLowerCase(), [...(values.get(name.toLowerCase()) ?? []), value])
  }
  const vary = [response.getHeader('vary') ?? []].flat().join(', ')
  if (vary !== '' && values.has('vary')) values.set('vary', [listed(`${vary}, ${values.get('vary').join(', ')}`)])
  return [...values].map(([name, all]) => [name, all.length === 1 ? all[0] : all])
}

/** A list of names in which each is once. */
function listed(names) {
  const byName = new Map(names.split(',').map((name) => [name.trim().toLowerCase(), name.trim()]))
  return [...byName.values()].filter(Boolean).join(', ')
}

module.exports = { headersOf, mark, markWhenSent, statusOf, toSet }
