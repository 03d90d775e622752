// Thirty-two requests at once with the token of one session, of which some rotate it and some change the session. None may be signed
// out, and in the end all tokens lead to the same one, with all changes. Of requests that all came before the first rotation, all get
// the same token; those that come later may rotate that one too.

import { now, requestOf, tokenAfter } from './tools.mjs'

const REQUESTS = 8
/** The grace of a rotation is ten seconds; what takes longer proves nothing. */
const LONGEST_MS = 8000

/** Whether all requests come before the first rotation. */
const isTogether = (race) => race.number % 2 === 0
/** Whether all requests rotate. */
const isOnlyRotating = (race) => race.number % 4 < 2

// The requests that have come, by race and peer.
const requests = new Map()

const openAll = (peer, token, count) =>
  Promise.all(Array.from({ length: count }, () => peer.manager().fromRequest(requestOf(token))))

export const rotate = {
  wrong: ['signedOut', 'successors', 'ends', 'lostChanges'],
  needed: ['rotated', 'changed', 'chained'],

  async make(peer, race) {
    if (race.by !== peer.index) return null
    const start = now()
    const session = await peer.manager().fromRequest({ headers: {} })
    await session.signIn(race.name, { n: 0 })
    return { token: tokenAfter(session), start }
  },

  async open(peer, race) {
    const { token } = race.steps.make[race.by]
    const early = await openAll(peer, token, isTogether(race) ? REQUESTS : REQUESTS / 2)
    requests.set(`${race.name} ${peer.index}`, early)
  },

  async race(peer, race) {
    const { token } = race.steps.make[race.by]
    const early = requests.get(`${race.name} ${peer.index}`)
    requests.delete(`${race.name} ${peer.index}`)
    return Promise.all(
      Array.from({ length: REQUESTS }, async (_, at) => {
        if (at % 2 === 1) await peer.pause()
        const session = early[at] ?? (await peer.manager().fromRequest(requestOf(token)))
        const before = tokenAfter(session, token)
        if (session.data === null) return { signedOut: true }
        const name = isOnlyRotating(race) || at % 3 === 0 ? undefined : `${peer.index}.${at}`
        const isDone = name === undefined ? await session.rotate() : await session.update({ [name]: 1 })
        return { before, signedOut: !isDone, after: tokenAfter(session, before), name }
      }),
    )
  },

  async check(peer, race) {
    const ran = race.steps.race.flat()
    const tokens = new Set([race.steps.make[race.by].token, ...ran.flatMap(({ before, after }) => [before, after])])
    tokens.delete(undefined)
    const found = await Promise.all(
      [...tokens].map(async (token) => {
        const session = await peer.manager().fromRequest(requestOf(token))
        return session.data && { token: tokenAfter(session, token), data: session.data }
      }),
    )
    const names = ran.flatMap(({ name }) => name ?? [])
    return {
      signedOut: found.filter((each) => each === null).length,
      ends: [...new Set(found.map((each) => each?.token))],
      lost: names.filter((name) => found.some((each) => each && each.data[name] !== 1)).length,
      end: now(),
    }
  },

  count(race) {
    const ran = race.steps.race.flat()
    const counts = { signedOut: 0, successors: 0, ends: 0, lostChanges: 0, rotated: 0, chained: 0, changed: 0, late: 0 }
    if (Math.max(...race.steps.check.map(({ end }) => end)) - race.steps.make[race.by].start > LONGEST_MS) {
      return { ...counts, late: 1 }
    }
    const rotations = ran.filter(({ name, signedOut }) => name === undefined && !signedOut)
    const after = new Set(rotations.map((each) => each.after))
    counts.rotated = rotations.length
    counts.changed = ran.length - rotations.length
    if (isTogether(race)) counts.successors = after.size - 1
    else counts.chained = after.size - 1
    counts.signedOut = ran.filter(({ signedOut }) => signedOut).length
    for (const { signedOut, lost } of race.steps.check) {
      counts.signedOut += signedOut
      counts.lostChanges += lost
    }
    counts.ends = new Set(race.steps.check.flatMap(({ ends }) => ends)).size - 1
    return counts
  },
}
