// A profile from a slow source, cached: the first request waits, the next ones do not.
import { setTimeout as sleep } from 'node:timers/promises'
import { ApiCache } from '../../../index.js'
import { send } from '../http.mjs'
import { requireSession } from '../visitor.mjs'

const TTL_SECONDS = 30
const SOURCE_MS = 600
const CITIES = ['Almadén', 'Idrija', 'Huancavelica', 'Guizhou', 'Monte Amiata']

export function profileRoutes() {
  return {
    'GET /api/profile': async (request, response) => {
      const { data: session } = await requireSession(request)
      const key = `profile:${session.userId}`
      let result = 'hit'
      const begin = performance.now()
      const profile = await ApiCache.getOrSet(
        key,
        () => {
          result = 'miss'
          return loadProfile(session)
        },
        { ttl: TTL_SECONDS, tags: [tagOf(session)] },
      )
      const ms = Math.round((performance.now() - begin) * 100) / 100
      send(
        response,
        200,
        { result, ms, key: `api:${key}`, ttl: TTL_SECONDS, profile },
        { 'X-Cache': result.toUpperCase() },
      )
    },

    'DELETE /api/profile': async (request, response) => {
      const { data: session } = await requireSession(request)
      await ApiCache.invalidateByTag(tagOf(session))
      send(response, 200, { invalidated: tagOf(session) })
    },
  }
}

const tagOf = (session) => `user:${session.userId}`

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
