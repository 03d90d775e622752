// Who is in a room: whoever has its page open. Each live page holds a membership, which ends soon after the page is closed, or
// by the lease of this process when the process dies, so that nobody stays who has gone.
import { RealtimeDataManager, redisService } from '../../index.js'

const LEASE_MS = 5000
// Time to load the page again, or for a page that has just joined to open its live stream.
const GRACE_MS = 5000

export const rooms = new RealtimeDataManager(redisService, { leaseMs: LEASE_MS })

/** Puts somebody into a room. What this returns lets go of them: then they leave, unless another page holds them there. */
export async function hold(room, { userId, name }) {
  const membership = await rooms.join(room, userId, { name })
  return () => setTimeout(() => membership.leave(), GRACE_MS).unref()
}

/** Whether somebody is in a room. */
export async function isIn(room, { userId }) {
  return Object.hasOwn(await rooms.getRoomUsers(room), userId)
}
