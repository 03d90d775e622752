// Whether the example's server and its Redis answer: asked every few seconds, and at once when a request has failed.
const EVERY_MS = 5000
const AGAIN_MS = 3000
const ANSWER_MS = 4000
// The server repeats a report for a second: a request that failed may be newer than the first answer.
const SETTLED_MS = 1200

const HELP = {
  server: 'Start it again with npm start.',
  E_AUTH: 'Correct the user or the password in REDIS_URL and start the example again.',
  redis: 'Check that Redis is running there.',
}

const handlers = []
let looking = null
let timer

/** What the last look found: `{ state, words, help, health }`. `state` is what is away: `server`, `redis`, or `none`. */
export let found = { state: 'unknown' }

/** When the next look is due, in the time of `Date.now()`; 0 while one is under way. */
export let nextAt = 0

/** Calls the handler after each look with what it found, and what the look before had found. */
export function onLook(handler) {
  handlers.push(handler)
}

/** Looks now. */
export function look() {
  looking ??= ask().finally(() => (looking = null))
  return looking
}

/** Something has failed: looks now, and soon again if all seems well. */
export async function suspect() {
  await look()
  if (found.state === 'none') plan(SETTLED_MS)
}

async function ask() {
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
    const response = await fetch('/health', { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_MS) })
    health = await response.json()
  } catch {
    return { state: 'server', words: "The example's server does not answer.", help: HELP.server }
  }
  if (health.status !== 'down') return { state: 'none', health }
  const { alerts, lastError } = health
  const loading = alerts.find((alert) => alert.startsWith('loading: '))?.slice('loading: '.length)
  const words = loading ?? lastError?.message ?? alerts[0] ?? 'it does not answer'
  const help = loading ? '' : (HELP[lastError?.code] ?? HELP.redis)
  return { state: 'redis', words: `Redis is unreachable: ${words}.`, help, health }
}

function plan(ms) {
  clearTimeout(timer)
  timer = setTimeout(look, ms)
  nextAt = Date.now() + ms
}
