// The kinds of races, and those who take part in them.
//
// Each kind has steps, which all peers run at the same time and end before the next: `make`, perhaps `open`, `race` and `check`, each a
// function of a peer and a race to what the next steps and `count` find in `race.steps`, by peer. `count` returns counts: those in
// `wrong` must be 0, and those in `needed` must not.

import { dice } from '../dice.mjs'
import { destroy } from './destroy.mjs'
import { evict } from './evict.mjs'
import { limit } from './limit.mjs'
import { rotate } from './rotate.mjs'
import { signIn } from './sign-in.mjs'

export const KINDS = { 'sign-in': signIn, destroy, limit, rotate, evict }

/** Takes part in races, at `index` among `count`. */
export async function makePeer({ url, index, count }) {
  const { RedisService, SessionManager } = await import('cinnabar')
  const service = new RedisService({ url, log: false, timeoutMs: 60_000, breaker: false })
  const managers = new Map()
  const peer = {
    index,
    count,
    service,
    /** The manager with these options. */
    manager(options = {}) {
      const name = JSON.stringify(options)
      if (!managers.has(name))
        managers.set(name, new SessionManager(service, { cookie: { secure: false }, ...options }))
      return managers.get(name)
    },
    async run(name, step, races) {
      const run = async (race) => {
        const random = dice(`${race.name} ${step} ${index}`)
        // Waits for nothing: by chance, so that each race meets the others at another moment.
        const tools = { ...peer, random, pause: () => new Promise((resolve) => setTimeout(resolve, random() * 8)) }
        return KINDS[name][step](tools, race).catch((error) => ({ failure: `${step}: ${error.stack}` }))
      }
      const [results] = await Promise.all([Promise.all(races.map(run)), KINDS[name].meanwhile?.(peer, step)])
      return results
    },
  }
  return peer
}
