'use strict'

/** The headers to which a response may be status 304. */
const CONDITIONS = ['if-none-match', 'if-modified-since']

/** The headers of a request of Node.js as those of fetch are read, as they are now. */
function askedBy({ headers }) {
  const known = { __proto__: null, ...headers }
  const get = (name) => known[name] ?? null
  return { get, has: (name) => name in known }
}

/**
 * Takes the conditions from a request of Node.js, since a handler or its framework would respond with status 304, which has no body to store.
 * Returns whether there were any, and what gives them back.
 */
function withoutConditions({ headers }) {
  const taken = CONDITIONS.filter((name) => headers[name] !== undefined).map((name) => [name, headers[name]])
  for (const [name] of taken) delete headers[name]
  const giveBack = () => {
    for (const [name, value] of taken) headers[name] = value
  }
  return { isConditional: taken.length > 0, giveBack }
}

module.exports = { CONDITIONS, askedBy, withoutConditions }
