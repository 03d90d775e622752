// The members of a room: the visitors who have its page open. Each open page has a membership, which ends soon after the page is
// closed, or when this process's lease expires because the process died.
import { RealtimeDataManager, redisService } from '../../index.js'

const LEASE_MS = 5000
// Time to reload the page, or for a page that has just joined to open its live stream.
const GRACE_MS = 5000

export const rooms = new RealtimeDataManager(redisService, { leaseMs: LEASE_MS })

/** Adds a visitor to a room; returns a function that ends the membership. Memberships of other pages keep the visitor in the room. */
export async function joinRoom(room, { userId, name }) {
  const membership = await rooms.join(room, userId, { name })
  return () => setTimeout(() => membership.leave(), GRACE_MS).unref()
}

/** Returns whether a visitor is in a room. */
export async function isIn(room, { userId }) {
  return Object.hasOwn(await rooms.getRoomUsers(room), userId)
}
