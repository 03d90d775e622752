import { setTimeout as sleep } from 'node:timers/promises'
import { ApiCache } from 'cinnabar'

// Runs at every request: without this line `next build` may run a GET that reads nothing of the request.
export const dynamic = 'force-dynamic'

/** Responds with a slow report, which is cached for 30 seconds. */
export async function GET() {
  let result = 'hit'
  const begin = performance.now()
  const report = await ApiCache.getOrSet(
    'report',
    async () => {
      result = 'miss'
      await sleep(400)
      return { made: new Date().toISOString() }
    },
    { ttl: 30, tags: ['reports'] },
  )
  return Response.json({ result, ms: Math.round(performance.now() - begin), report })
}

/** Invalidates the report. */
export async function DELETE() {
  await ApiCache.invalidateByTag('reports')
  return Response.json({ invalidated: 'reports' })
}
