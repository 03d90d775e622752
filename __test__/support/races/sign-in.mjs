// Sign-ins of a user while one process signs the user out everywhere. A session must not survive if its sign-in had returned before
// that, or had begun before in the same process, whose calls reach a server in order; it must if its sign-in began afterwards. Sign-ins
// of other processes at the same time, and those with `maxPerUser`, which read the user's sessions first, count as before or after, but
// in all processes as the same.

import { accepted, now, requestOf, tokenAfter, unless, writable } from './tools.mjs'

const LIMIT = { maxPerUser: 1000 }

/** Returns what signs the user in, whose browser may have a session. */
async function byHandle(sessions, user, before) {
  const session = await sessions.fromRequest(before === undefined ? { headers: {} } : requestOf(before))
  return async () => {
    await session.signIn(user, { n: 0 })
    return tokenAfter(session)
  }
}

/** Ways to sign in. */
const WAYS = [
  (peer, user) => () => peer.manager().createSession(user, { n: 0 }),
  (peer, user) => () => peer.manager({ tokens: 'hashed' }).createSession(user, { n: 0 }),
  (peer, user) => () => peer.manager(LIMIT).createSession(user, { n: 0 }),
  (peer, user) => byHandle(peer.manager(), user),
  (peer, user, before) => byHandle(peer.manager(), user, before),
  (peer, user) => byHandle(peer.manager(LIMIT), user),
]

/** Those that begin with the write of the session. */
const AT_ONCE = [0, 1, 3, 4]

async function timed(peer, race, number, before) {
  const way = number % WAYS.length
  const signIn = await WAYS[way](peer, race.name, before)
  const start = now()
  const token = await unless(['E_CONFLICT'], signIn())
  return { start, end: now(), token, isInOrder: peer.index === race.by && AT_ONCE.includes(way) }
}

export const signIn = {
  wrong: ['survivors', 'lost', 'torn'],
  needed: ['racing', 'after'],

  async make(peer, race) {
    return timed(peer, race, race.number + peer.index)
  },

  async race(peer, race) {
    const { token } = race.steps.make[peer.index]
    const signIns = [0, 1].map(async (at) => {
      await peer.pause()
      return timed(peer, race, race.number + 3 * at + peer.index, token)
    })
    let ended
    if (race.by === peer.index) {
      await peer.pause()
      const start = now()
      await peer.manager().invalidateUser(race.name)
      ended = { start, end: now() }
      const tokens = race.steps.make.map((made) => made.token)
      ended.accepted = (await accepted(peer.manager(), tokens)).filter(Boolean).length
      signIns.push(timed(peer, race, race.number))
    }
    return { ended, signIns: await Promise.all(signIns) }
  },

  async check(peer, race) {
    const tokens = all(race).map(({ token }) => token)
    const alive = await accepted(peer.manager(), tokens)
    const gone = tokens.filter((_, at) => !alive[at])
    const late = race.by === peer.index ? await writable(peer.manager(), gone) : 0
    return { alive, late: late + (await accepted(peer.manager(), gone)).filter(Boolean).length }
  },

  count(race) {
    const { ended } = race.steps.race[race.by]
    const checks = race.steps.check
    const counts = { survivors: ended.accepted, lost: 0, torn: 0, racing: 0, after: 0, alive: 0 }
    for (const { late } of checks) counts.torn += late
    for (const { start, end, token, isInOrder } of race.steps.race.flatMap(({ signIns }) => signIns)) {
      const isAfter = start > ended.end
      if (isAfter) counts.after++
      else if (end > ended.start) counts.racing++
      if (isAfter && token === undefined) counts.lost++
      if (token === undefined) continue
      const found = checks.map(({ alive }) => alive[all(race).findIndex((each) => each.token === token)])
      if (new Set(found).size > 1) counts.torn++
      const isBefore = end < ended.start || (isInOrder && start < ended.start)
      if (isBefore && found.includes(true)) counts.survivors++
      if (isAfter && found.includes(false)) counts.lost++
      if (!isBefore && !isAfter && found.includes(true)) counts.alive++
    }
    for (const { alive } of checks) counts.survivors += alive.slice(0, race.steps.make.length).filter(Boolean).length
    return counts
  },
}

/** The sessions that exist before, and those of the race. */
function all(race) {
  const signIns = race.steps.race.flatMap((ran) => ran.signIns)
  return [...race.steps.make, ...signIns].filter(({ token }) => token !== undefined)
}
