// Checks whether the example's server and its Redis respond: every few seconds, and at once when a request has failed.
const EVERY_MS = 5000
const AGAIN_MS = 3000
const TIMEOUT_MS = 4000
// The server reuses a report for a second, so a request that failed may be newer than the first response.
const SETTLED_MS = 1200

const HELP = {
  server: 'Start it again with npm start.',
  E_AUTH: 'Correct the user or the password in REDIS_URL and start the example again.',
  redis: 'Check that Redis is running there.',
}

const handlers = []
let checking = null
let timer

/** The result of the last check: `{ state, words, help, health }`. `state` is what is unavailable: `server`, `redis`, or `none`. */
export let found = { state: 'unknown' }

/** When the next check is due, in milliseconds since 1970; 0 while one is running. */
export let nextAt = 0

/** Calls the handler after each check with its result and the one before. */
export function onCheck(handler) {
  handlers.push(handler)
}

/** Checks now. */
export function check() {
  checking ??= refresh().finally(() => (checking = null))
  return checking
}

/** Checks now because something failed, and soon again if everything seems to work. */
export async function suspect() {
  await check()
  if (found.state === 'none') plan(SETTLED_MS)
}

async function refresh() {
  clearTimeout(timer)
  nextAt = 0
  const before = found
  found = await find()
  plan(found.state === 'none' ? EVERY_MS : AGAIN_MS)
  for (const handler of handlers) handler(found, before)
}

async function find() {
  let health
  try {
    const response = await fetch('/health', { cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) })
    health = await response.json()
  } catch {
    return { state: 'server', words: "The example's server does not respond.", help: HELP.server }
  }
  if (health.status !== 'down') return { state: 'none', health }
  const { alerts, lastError } = health
  const loading = alerts.find((alert) => alert.startsWith('loading: '))?.slice('loading: '.length)
  const words = loading ?? lastError?.message ?? alerts[0] ?? 'it does not respond'
  const help = loading ? '' : (HELP[lastError?.code] ?? HELP.redis)
  return { state: 'redis', words: `Redis is unreachable: ${words}.`, help, health }
}

function plan(ms) {
  clearTimeout(timer)
  timer = setTimeout(check, ms)
  nextAt = Date.now() + ms
}
