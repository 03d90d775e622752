import { setTimeout as sleep } from 'node:timers/promises'
import { ApiCache } from 'cinnabar'

// Asked for at every request: without this line a GET that reads nothing of the request may be run by `next build`.
export const dynamic = 'force-dynamic'

/** A slow answer, kept for 30 seconds. */
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

/** Forgets it. */
export async function DELETE() {
  await ApiCache.invalidateByTag('reports')
  return Response.json({ invalidated: 'reports' })
}
