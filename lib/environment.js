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

/** The environment variables that count here, as a plain object; unset ones are left out. */
function readEnvironment() {
  const found = {}
  for (const name of NAMES) {
    const value = read(name)
    if (value !== undefined) found[name] = value
  }
  return found
}

function read(name) {
  try {
    return process.env[name]
  } catch {
    // Deno without --allow-env throws on every look; that is the same as nothing being set.
    return undefined
  }
}

module.exports = { readEnvironment }
