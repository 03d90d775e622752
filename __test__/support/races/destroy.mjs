// Writes, renewals, rotations and reads of one session while another process destroys it; and loads of validated tokens while their cached
// users are removed. No token of either may be accepted afterwards.

import { deferred } from '../../helpers.mjs'
import { accepted, now, pick, requestOf, tokenAfter, writable } from './tools.mjs'

const KEY = { id: 'k1', key: Buffer.alloc(32, 7).toString('base64') }

/** Options of the session's manager. */
const VARIANTS = [
  {},
  { tokens: 'hashed' },
  { tokens: 'hashed', absoluteTtl: 3600 },
  { tokens: 'hashed', encryption: { keys: [KEY] } },
  { tokens: 'hashed', maxPerUser: 5 },
]

const optionsOf = (race) => VARIANTS[race.number % VARIANTS.length]

/** Tokens that a database owns, one of each peer. */
const tokensOf = (peer, race) => Array.from({ length: peer.count }, (_, index) => `token ${race.name} ${index}`)

// The loads in flight, by race and peer.
const loads = new Map()

async function rotated(sessions, token, graceSeconds) {
  const session = await sessions.fromRequest(requestOf(token))
  return (await session.rotate({ graceSeconds })) ? tokenAfter(session) : undefined
}

/** What a peer does with the session; returns a new token, if there is one. */
const NOISE = {
  update: async (sessions, token) => void (await sessions.updateSession(token, { n: Math.random() })),
  updateWithTtl: async (sessions, token) =>
    void (await sessions.updateSession(token, { m: 1 }, { ttl: 200, remove: ['n'] })),
  updateByHandle: async (sessions, token) =>
    void (await (await sessions.fromRequest(requestOf(token))).update({ h: 1 }, { ttl: 300 })),
  touch: async (sessions, token) => void (await sessions.touch(token)),
  touchWithTtl: async (sessions, token) => void (await sessions.touch(token, 400)),
  extend: async (sessions, token) => void (await sessions.extendSession(token, 500)),
  rotate: (sessions, token) => (token.startsWith('cst_') ? rotated(sessions, token, 10) : undefined),
  rotateAtOnce: (sessions, token) => (token.startsWith('cst_') ? rotated(sessions, token, 0) : undefined),
  read: async (sessions, token) => void (await sessions.getSession(token)),
}

export const destroy = {
  wrong: ['resurrected'],
  needed: ['destroyed', 'racing', 'rotated'],

  async make(peer, race) {
    // A load in flight that has read its user before the database deletes it.
    const gate = deferred()
    const begun = deferred()
    const load = async () => (begun.resolve(), await gate.promise, { id: race.name })
    const loaded = peer.manager().validateSession(tokensOf(peer, race)[peer.index], { load })
    loads.set(`${race.name} ${peer.index}`, { open: gate.resolve, loaded })
    await begun.promise
    if (race.by !== peer.index) return null
    const sessions = peer.manager(optionsOf(race))
    const token = await sessions.createSession(race.name, { n: 0 }, { ttl: 100 })
    // So that a rolling read renews it, as after half of its ttl.
    await sessions.extendSession(token, 50)
    return token
  },

  async race(peer, race) {
    const first = race.steps.make[race.by]
    const options = optionsOf(race)
    const sessions = peer.manager(options)
    const rolling = peer.manager({ ...options, rolling: true, ttl: 100 })
    const known = [first]
    // Other peers do not know the token that follows without grace, so they would find nothing any more.
    const names = Object.keys(NOISE).filter((name) => name !== 'rotateAtOnce' || race.number % 7 === 0)
    const times = []
    // In some races before the first call has returned, and in others when some tokens have been rotated.
    const callsBefore = 2 * (race.number % 3)
    const isTime = deferred()
    if (callsBefore === 0) isTime.resolve()
    const noise = async () => {
      for (let at = 0; at < 3; at++) {
        await peer.pause()
        const work = NOISE[pick(peer.random, names)]
        const start = now()
        const token = await work(pick(peer.random, [sessions, rolling]), pick(peer.random, known))
        times.push([start, now()])
        if (times.length === callsBefore) isTime.resolve()
        if (token !== undefined) known.push(token)
      }
    }
    const load = async () => {
      const { open, loaded } = loads.get(`${race.name} ${peer.index}`)
      loads.delete(`${race.name} ${peer.index}`)
      await peer.pause()
      open()
      await loaded
    }
    const end = async () => {
      await peer.pause()
      await isTime.promise
      const start = now()
      const token = known.at(-1)
      const byHandle = async () => (await sessions.fromRequest(requestOf(token))).destroy()
      const [count] = await Promise.all([
        race.number % 3 === 0 ? byHandle() : sessions.destroySession(token),
        ...tokensOf(peer, race).map((token) => sessions.invalidateToken(token)),
      ])
      const accepts = (await accepted(sessions, known)).filter(Boolean).length
      return { start, end: now(), count, accepts }
    }
    const isLast = (race.by + 1) % peer.count === peer.index
    const [ended] = await Promise.all([isLast ? end() : undefined, noise(), noise(), load()])
    return { ended, known, times }
  },

  async check(peer, race) {
    const tokens = [...new Set(race.steps.race.flatMap(({ known }) => known))]
    const sessions = peer.manager(optionsOf(race))
    const count = async () => (await accepted(sessions, tokens)).filter(Boolean).length
    const validate = (token) => peer.manager().validateSession(token, { load: () => null })
    const cached = (await Promise.all(tokensOf(peer, race).map(validate))).filter(Boolean).length
    const before = await count()
    return before + (race.by === peer.index ? await writable(sessions, tokens) : 0) + (await count()) + cached
  },

  count(race) {
    const { ended } = race.steps.race.find((ran) => ran.ended)
    const times = race.steps.race.flatMap((ran) => ran.times)
    return {
      destroyed: ended.count,
      resurrected: ended.accepts + race.steps.check.reduce((sum, each) => sum + each),
      racing: times.filter(([start, end]) => start < ended.end && end > ended.start).length,
      rotated: race.steps.race.reduce((sum, { known }) => sum + known.length - 1, 0),
    }
  },
}
