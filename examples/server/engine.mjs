// Which engine the example runs on, decided from the environment before the first call.

const SERVER_SETTINGS = ['REDIS_URL', 'REDIS_PUBLIC_URL', 'REDIS_HOST']

/**
 * Names the engine. With no server configured it asks for the embedded one by its URL, so that the example
 * runs the same way under NODE_ENV=production, where the library itself would connect to localhost:6379.
 */
export function chooseEngine(env) {
  if (!SERVER_SETTINGS.some((name) => env[name])) env.REDIS_URL = 'memory:'
  const url = env.REDIS_URL || env.REDIS_PUBLIC_URL
  if (url?.startsWith('memory:')) return { embedded: true, label: 'embedded, in this process (no server needed)' }
  const host = url ? hostOf(url) : `${env.REDIS_HOST}:${env.REDIS_PORT || 6379}`
  return { embedded: false, host, label: `Redis server at ${host}` }
}

/** The part of a URL that may be shown: never its user name or password. */
function hostOf(url) {
  try {
    const { host, pathname } = new URL(url)
    return host || pathname
  } catch {
    return 'the configured address'
  }
}
