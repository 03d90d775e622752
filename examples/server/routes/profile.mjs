// A profile from a slow source, cached: the first request waits, the next ones do not, and soon it is in the memory of this process.
import { setTimeout as sleep } from 'node:timers/promises'
import { ApiCache } from '../../../index.js'
import { send } from '../http.mjs'
import { servers } from '../second.mjs'
import { requireSession } from '../visitor.mjs'

const TTL_SECONDS = 20
const STALE_SECONDS = 40
const SOURCE_MS = 600
// Looking costs no call.
const LOOK_MS = 50
const CITIES = ['Almadén', 'Idrija', 'Huancavelica', 'Guizhou', 'Monte Amiata']

const cache = new ApiCache(undefined, { near: true })

export function profileRoutes() {
  return {
    'GET /api/profile': async (request, response) => {
      const { data: session } = await requireSession(request)
      const key = keyOf(session)
      const begin = performance.now()
      const { value: profile, source } = await cache.lookup(key, () => loadProfile(session), {
        ttl: TTL_SECONDS,
        staleWhileRevalidate: STALE_SECONDS,
        tags: [tagOf(session)],
      })
      const ms = Math.round((performance.now() - begin) * 100) / 100
      send(
        response,
        200,
        { source, ms, key: `api:${key}`, ttl: TTL_SECONDS, profile },
        { 'X-Cache': source.toUpperCase() },
      )
    },

    'DELETE /api/profile': async (request, response) => {
      const { data: session } = await requireSession(request)
      await cache.invalidateByTag(tagOf(session))
      send(response, 200, { invalidated: tagOf(session) })
    },
  }
}

const keyOf = (session) => `profile:${session.userId}`
const tagOf = (session) => `user:${session.userId}`

/** Calls the handler now, and whenever the profile of a session comes into the memory of this process or leaves it; returns a function that ends this. */
export function watchNear(session, handler) {
  let wasNear
  const look = () => {
    const isNear = cache.peek(keyOf(session)) !== undefined
    if (isNear !== wasNear) handler({ isNear, ...servers })
    wasNear = isNear
  }
  look()
  const timer = setInterval(look, LOOK_MS)
  return () => clearInterval(timer)
}

/** Simulates a slow database or service. */
async function loadProfile({ userId, name }) {
  await sleep(SOURCE_MS)
  const number = [...userId].reduce((sum, letter) => sum + letter.codePointAt(0), 0)
  return {
    name,
    city: CITIES[number % CITIES.length],
    member: 1000 + (number % 9000),
    loadedAt: new Date().toISOString(),
  }
}
