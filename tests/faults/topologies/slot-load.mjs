// The proof that slots may move while they are used: callers whose results no other could get, over GETs, many calls of one
// tick, calls on several keys, and scripts.

import { keySlot } from '../../../__test__/support/slots.mjs'
import { callers } from './callers.mjs'
import { countErrors, moveSlots } from './slot-moves.mjs'

const LIMIT = 1e9
/** So many slots hold a key of every caller, and move key by key. */
const SHARED = 4
/** Callers that never rest would measure the machine: how late its event loop is, and which nodes it makes seem dead. */
const REST_MS = 5

/**
 * Lets `count` callers work for some seconds on moving slots, and checks every result: no failure is allowed, for no node
 * has one. `pause` ms pass between the steps of a move.
 */
export async function moveSlotsUnderLoad(t, cluster, { seconds, count = 64, pause = 1 }) {
  const timeoutMs = 5000
  const service = await t.service({ url: cluster.url, timeoutMs })
  const client = service.getClient()
  const sessions = new t.cinnabar.SessionManager(service)
  const limiter = new t.cinnabar.RateLimiter(service)
  const shared = cluster.firstSlots.concat(77).slice(0, SHARED)

  const people = await Promise.all(
    Array.from({ length: count }, async (_, caller) => {
      const pairs = shared.map((slot) => ['a', 'b'].map((name) => cluster.keyIn(slot, `${name}${caller}`)))
      const keys = [...pairs.flat(), `still:${caller}`, `also:${caller}`]
      const values = new Map(keys.map((key) => [key, `${key}=first`]))
      for (const [key, value] of values) await service.set(key, value)
      const session = await sessions.createSession(
        `user${caller}`,
        { n: 0 },
        { id: `session-of-${caller}`, tags: [`of${caller}`] },
      )
      return { pairs, keys, values, session, n: 0, limited: 0 }
    }),
  )
  const others = people.flatMap((_, caller) => [`session:session-of-${caller}`, `rate_limit:who${caller}`])
  // A slot of many keys, then some of few, so that a short run moves both.
  const few = [...new Set(others.map(keySlot))]
  const slots = shared.flatMap((slot, n) => [slot, ...few.filter((_, at) => at % SHARED === n)])

  const make = (name, action, right) => t.call(service, name, action, { timeoutMs, right })
  const get = (mine, key) => make(`GET ${key}`, () => service.get(key), same(mine.values.get(key)))
  const mget = (mine, keys) =>
    make(`MGET ${keys}`, () => client.mGet(keys), sameList(keys.map((key) => mine.values.get(key))))
  const kinds = [
    (me, mine) => get(mine, me.pick(mine.keys)),
    // Many calls in one tick, which travel together as far as their nodes are the same.
    (me, mine) => Promise.all(Array.from({ length: 32 }, () => get(mine, me.pick(mine.keys)))),
    async (me, mine) => {
      const key = me.pick(mine.keys)
      const value = me.unique()
      await make(`SET ${key}`, () => service.set(key, value), same('OK'))
      mine.values.set(key, value)
    },
    (me, mine) => mget(mine, mine.keys),
    // Two keys of one slot, which may be at two nodes for a moment.
    (me, mine) => mget(mine, me.pick(mine.pairs)),
    (me, mine) => {
      const left = LIMIT - ++mine.limited
      return make(
        'limit',
        () => limiter.checkRateLimit(`who${me.caller}`, LIMIT, 86_400),
        ({ remaining, source }) =>
          source === 'store' && remaining === left ? true : `${remaining} remain by ${source} instead of ${left}`,
      )
    },
    async (me, mine) => {
      const mark = me.unique()
      const n = ++mine.n
      await make('update', () => sessions.updateSession(mine.session, { n, mark }), same(true))
      await make(
        'session',
        () => sessions.getSession(mine.session),
        (session) =>
          session?.n === n && session.mark === mark && session.userId === `user${me.caller}`
            ? true
            : `returned ${JSON.stringify(session)}, not ${n} and ${mark}`,
      )
    },
  ]

  await cluster.everywhere('CONFIG', 'RESETSTAT')
  const signal = AbortSignal.timeout(seconds * 1000)
  const [moves] = await Promise.all([
    moveSlots(cluster, slots, { signal, pause }),
    callers({ count, signal, timeoutMs, restMs: REST_MS, random: t.random }, (me, n) =>
      kinds[n % kinds.length](me, people[me.caller]),
    ),
  ])
  const [asked, moved, again] = await Promise.all(
    ['ASK', 'MOVED', 'TRYAGAIN'].map((name) => countErrors(cluster, name)),
  )
  t.note(`${moves.slots} slots with ${moves.keys} keys moved; ${asked} ASK, ${moved} MOVED, ${again} TRYAGAIN`)
  t.check(asked > 0 && moved > 0, 'no call met a slot on the move')
  for (const [code, times] of Object.entries(t.calls.codes)) t.check(false, `${times} calls failed with ${code}`)
}

/** A result is put into words only if it differs. */
const same = (wanted) => (value) =>
  value === wanted || `returned ${JSON.stringify(value)}, not ${JSON.stringify(wanted)}`
const sameList = (wanted) => (values) => same(JSON.stringify(wanted))(JSON.stringify(values))
