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
  'REDIS_DRIVER',
  'REDIS_POOL_SIZE',
  'REDIS_TIMEOUT',
  'REDIS_RETRY_ATTEMPTS',
  'CINNABAR_STACKS',
]

// Those that name the server.
const SERVER_VARIABLES = ['REDIS_URL', 'REDIS_PUBLIC_URL', 'REDIS_HOST']

/** The environment variables that cinnabar reads, as a plain object without those that are unset. */
function readEnvironment() {
  const found = {}
  for (const name of NAMES) {
    const value = readVariable(name)
    if (value !== undefined) found[name] = value
  }
  return found
}

/** The value of a variable; `undefined` if it is unset or Deno denies access to it. */
function readVariable(name) {
  try {
    return process.env[name]
  } catch {
    // Deno throws for a variable that --allow-env does not include.
    return undefined
  }
}

/** The variables naming the server to which Deno denies access. */
function forbiddenServerVariables() {
  return SERVER_VARIABLES.filter((name) => {
    try {
      void process.env[name]
      return false
    } catch {
      return true
    }
  })
}

module.exports = { forbiddenServerVariables, readEnvironment, readVariable }
