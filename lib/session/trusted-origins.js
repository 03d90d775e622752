'use strict'

const { argumentError } = require('../error.js')
const { isArray } = require('../options.js')

// Copied, because the caller may change its array.
function originsOf(origins = []) {
  if (origins === '*') return origins
  const own = isArray(origins) ? Array.from(origins) : [undefined]
  if (own.every(isOrigin)) return own
  throw argumentError(
    "trustedOrigins must be '*' or origins, such as ['https://app.example.com'], without wildcards in them",
  )
}

// As browsers send it: without a path, and in lower case.
function isOrigin(text) {
  if (typeof text !== 'string' || !URL.canParse(text)) return false
  const { origin, protocol, host } = new URL(text)
  // A host with a wildcard is valid in a URL, and no browser sends one.
  return text === (origin === 'null' ? `${protocol}//${host}` : origin) && !host.includes('*')
}

module.exports = { originsOf }
