// Sign-outs on a server that constantly evicts keys of all kinds, of sessions whose tokens are hashed, and rotated before and meanwhile.
// No session that was signed out may be accepted, under whichever of its tokens.

import { pick, requestOf, tokenAfter } from './tools.mjs'

const KEY = { id: 'k1', key: Buffer.alloc(32, 7).toString('base64') }
const VARIANTS = [
  { tokens: 'hashed' },
  { tokens: 'hashed', maxPerUser: 10 },
  { tokens: 'hashed', encryption: { keys: [KEY] } },
  { tokens: 'hashed', absoluteTtl: 3600 },
]
const optionsOf = (race) => VARIANTS[Math.floor(race.number / 3) % VARIANTS.length]

/** Who is signed out: the user, a tag, or each session by its newest token. */
const whatOf = (race) => ['user', 'tag', 'sessions'][race.number % 3]

const isPassing = (error) =>
  error.retryable || ['E_OUT_OF_MEMORY', 'E_MAYBE_APPLIED', 'E_CONFLICT'].includes(error.code)

/** What a full server refuses was not done. */
const tolerated = (promise) =>
  promise.catch((error) => {
    if (!isPassing(error)) throw error
  })

async function retried(call) {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!isPassing(error)) throw error
    }
  }
}

async function rotated(sessions, token) {
  const session = await sessions.fromRequest(requestOf(token))
  return (await session.rotate()) ? tokenAfter(session, token) : undefined
}

async function accepts(peer, race, tokens) {
  const sessions = peer.manager(optionsOf(race))
  const found = await Promise.all(
    tokens.flatMap((token) => [
      retried(() => sessions.getSession(token)),
      tolerated(sessions.updateSession(token, { late: 1 })),
      tolerated(sessions.touch(token)),
      tolerated(rotated(sessions, token)),
    ]),
  )
  return found.filter(Boolean).length
}

let fills = 0

export const evict = {
  evicts: true,
  wrong: ['accepted'],
  needed: ['alive', 'missing', 'rotated', 'evicted'],

  /** Other keys compete with the sessions for memory. */
  async meanwhile({ service, index }, step) {
    const set = () => tolerated(service.set(`fill:${index}:${fills++}`, 'x'.repeat(900), { EX: 3600 }))
    if (step !== 'check') await Promise.all(Array.from({ length: 100 }, set))
  },

  async make(peer, race) {
    const sessions = peer.manager(optionsOf(race))
    const create = () => sessions.createSession(race.name, { n: 0 }, { tags: [`tag ${race.name}`], ttl: 600 })
    const first = await tolerated(create())
    const second = first && (await tolerated(rotated(sessions, first)))
    return [first, second].filter(Boolean)
  },

  async race(peer, race) {
    const sessions = peer.manager(optionsOf(race))
    const rolling = peer.manager({ ...optionsOf(race), rolling: true, ttl: 100 })
    const all = race.steps.make.flat()
    const known = []
    const noise = async () => {
      for (let at = 0; at < 3 && all.length > 0; at++) {
        await peer.pause()
        const token = pick(peer.random, all)
        await tolerated(sessions.updateSession(token, { n: at }))
        await tolerated(rolling.getSession(token))
        await tolerated(sessions.extendSession(token, 300))
        // Who destroys a session by a token whose link to its successor was evicted, cannot find it.
        const next = whatOf(race) === 'sessions' ? undefined : await tolerated(rotated(sessions, token))
        if (next) known.push(next)
      }
    }
    const counts = { alive: 0, missing: 0, accepted: 0 }
    const signOut = async () => {
      for (const token of all) {
        if (await retried(() => sessions.getSession(token))) counts.alive++
        else counts.missing++
      }
      await peer.pause()
      if (whatOf(race) === 'user') await retried(() => sessions.invalidateUser(race.name))
      else if (whatOf(race) === 'tag') await retried(() => sessions.destroyByTag(`tag ${race.name}`))
      else {
        const newest = race.steps.make.flatMap((tokens) => tokens.slice(-1))
        await Promise.all(newest.map((token) => retried(() => sessions.destroySession(token))))
      }
      counts.accepted = await accepts(peer, race, all)
    }
    await Promise.all([noise(), race.by === peer.index ? signOut() : undefined])
    return { counts, known }
  },

  async check(peer, race) {
    const known = race.steps.race.flatMap((ran) => ran.known)
    return accepts(peer, race, [...race.steps.make.flat(), ...known])
  },

  count(race) {
    const { counts } = race.steps.race[race.by]
    return {
      ...counts,
      accepted: counts.accepted + race.steps.check.reduce((sum, each) => sum + each),
      rotated: race.steps.race.reduce((sum, { known }) => sum + known.length, 0),
    }
  },
}
