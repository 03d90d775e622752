// Sign-ins of one user in all processes, with at most three sessions, while sessions are rotated and destroyed. Each session's data has a
// name of its own, by which it is the same under each of its tokens.

import { accepted, now, pick, requestOf, tokenAfter, unless } from './tools.mjs'

const MOST = 3
const WHEN_FULL = ['evict-oldest', 'evict-idle', 'reject']
const REFUSALS = ['E_CONFLICT', 'E_TOO_MANY_SESSIONS']

const optionsOf = (race) => ({ maxPerUser: MOST, whenFull: WHEN_FULL[race.number % WHEN_FULL.length] })
const isRejecting = (race) => optionsOf(race).whenFull === 'reject'
/** Whether sessions are destroyed too. */
const isNoisy = (race) => Math.floor(race.number / WHEN_FULL.length) % 2 === 1

async function signIn(sessions, race, { way, name }) {
  if (way === 0) return sessions.createSession(race.name, { name })
  const session = await sessions.fromRequest({ headers: {} })
  await session.signIn(race.name, { name })
  return tokenAfter(session)
}

export const limit = {
  wrong: ['tooMany', 'tooFew', 'unlisted'],
  needed: ['created', 'refused', 'rotated', 'destroyed'],

  async make(peer, race) {
    if (race.by !== peer.index) return []
    const tokens = []
    const count = Math.floor(peer.random() * (MOST + 1))
    for (let at = 0; at < count; at++) {
      tokens.push(await signIn(peer.manager(optionsOf(race)), race, { way: at % 2, name: `before ${at}` }))
    }
    return tokens
  },

  async race(peer, race) {
    const sessions = peer.manager(optionsOf(race))
    const made = race.steps.make[race.by]
    const known = []
    const counts = { created: 0, refused: 0, rotated: 0, destroyed: 0 }
    // When a session was found, as [name, start, end].
    const found = []
    const look = async (token) => {
      const start = now()
      const session = await sessions.getSession(token)
      if (session) found.push([session.name, start, now()])
    }
    const signIns = [0, 1].map(async (at) => {
      await peer.pause()
      const way = (race.number + at + peer.index) % 2
      const token = await unless(REFUSALS, signIn(sessions, race, { way, name: `${peer.index}.${at}` }))
      if (token === undefined) return void counts.refused++
      counts.created++
      known.push(token)
      await look(token)
      await peer.pause()
      await look(token)
    })
    const rotate = async () => {
      if (made.length === 0) return
      await peer.pause()
      const session = await sessions.fromRequest(requestOf(pick(peer.random, made)))
      if (!tokenAfter(session, 'cst_').startsWith('cst_') || session.data === null) return
      if (!(await unless(['E_UNSUPPORTED'], session.rotate()))) return
      counts.rotated++
      known.push(tokenAfter(session))
      await look(known.at(-1))
    }
    const destroy = async () => {
      if (!isNoisy(race)) return
      await peer.pause()
      const token = pick(peer.random, [...made, ...known])
      if (token !== undefined) counts.destroyed += await sessions.destroySession(token)
    }
    const watch = async () => {
      for (let at = 0; at < 3; at++) {
        await Promise.all(made.map(look))
        await peer.pause()
      }
    }
    await Promise.all([...signIns, rotate(), destroy(), watch()])
    return { counts, known, found }
  },

  async check(peer, race) {
    const sessions = peer.manager(optionsOf(race))
    const tokens = [...new Set([...race.steps.make[race.by], ...race.steps.race.flatMap(({ known }) => known)])]
    const names = (await Promise.all(tokens.map((token) => sessions.getSession(token)))).map((each) => each?.name)
    const listed = (await sessions.describeSessions(race.name)).map(({ session }) => session.name)
    const alive = (await accepted(sessions, tokens)).filter(Boolean).length
    return { names: [...new Set(names)].filter(Boolean).sort(), listed: listed.sort(), alive }
  },

  count(race) {
    const counts = { tooMany: 0, tooFew: 0, unlisted: 0, most: 0, created: 0, refused: 0, rotated: 0, destroyed: 0 }
    for (const ran of race.steps.race) for (const [name, count] of Object.entries(ran.counts)) counts[name] += count
    const made = race.steps.make[race.by].length + counts.created
    for (const { names, listed } of race.steps.check) {
      if (names.length > MOST) counts.tooMany++
      const fewest = isRejecting(race) ? made : Math.min(MOST, made)
      if (names.length < fewest - counts.destroyed) counts.tooFew++
      if (!isNoisy(race) && names.length !== MOST) counts.tooFew++
      if (names.join() !== listed.join()) counts.unlisted++
    }
    counts.tooMany += most(race.steps.race.flatMap(({ found }) => found)) > MOST ? 1 : 0
    delete counts.most
    return counts
  },
}

/** How many sessions existed at one time at least: each did from the end of the first read that found it to the start of the last. */
function most(found) {
  const spans = new Map()
  for (const [name, start, end] of found) {
    const [from, to] = spans.get(name) ?? [Infinity, 0]
    spans.set(name, [Math.min(from, end), Math.max(to, start)])
  }
  const valid = [...spans.values()].filter(([from, to]) => from < to)
  return Math.max(0, ...valid.map(([at]) => valid.filter(([from, to]) => from <= at && at < to).length))
}
