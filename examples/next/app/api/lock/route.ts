import { setTimeout as sleep } from 'node:timers/promises'
import { CinnabarError, DistributedLock } from 'cinnabar'

const WORK_MS = 1500

/** Does work that must not run concurrently: a second request gets 409 while the first one runs. */
export async function POST() {
  try {
    const finished = await DistributedLock.withLock(
      'next:report',
      async () => {
        await sleep(WORK_MS)
        return new Date().toISOString()
      },
      10,
    )
    return Response.json({ finished })
  } catch (error) {
    if (error instanceof CinnabarError && error.code === 'E_LOCK_HELD') {
      return Response.json({ error: error.message }, { status: 409 })
    }
    throw error
  }
}
