'use strict'

const NAMES = [
  'NODE_ENV',
  'REDIS_URL',
  'REDIS_PUBLIC_URL',
  'REDIS_HOST',
  'REDIS_PORT',
  'REDIS_USERNAME',
  'REDIS_PASSWORD',
  'REDIS_TLS',
  'REDIS_POOL_SIZE',
  'REDIS_TIMEOUT',
  'REDIS_RETRY_ATTEMPTS',
  'CINNABAR_STACKS',
]

// Those that say where the server is.
const PLACES = ['REDIS_URL', 'REDIS_PUBLIC_URL', 'REDIS_HOST']

/** The environment variables that count here, as a plain object; unset ones are left out. */
function readEnvironment() {
  const found = {}
  for (const name of NAMES) {
    const value = readVariable(name)
    if (value !== undefined) found[name] = value
  }
  return found
}

/** A variable, or `undefined` when it is unset or may not be read. */
function readVariable(name) {
  try {
    return process.env[name]
  } catch {
    // Deno throws on every look that --allow-env does not allow.
    return undefined
  }
}

/** Variables that would say where the server is, and may not be read. */
function forbiddenPlaces() {
  return PLACES.filter((name) => {
    try {
      void process.env[name]
      return false
    } catch {
      return true
    }
  })
}

module.exports = { forbiddenPlaces, readEnvironment, readVariable }
