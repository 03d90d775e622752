// Jobs: adding one, and the state of the latest ones.
import { HttpError, readJson, send } from '../http.mjs'
import { nameOf } from '../visitor.mjs'

const SHOWN = 4
const MOST_WAITING = 20
const STATES = ['ready', 'delayed', 'active', 'done', 'dead']

export function jobRoutes({ jobs: { queue } }) {
  return {
    'GET /api/jobs': async (request, response) => {
      send(response, 200, await state(queue))
    },

    'POST /api/jobs': async (request, response) => {
      const { failsOnce = false } = await readJson(request)
      if (typeof failsOnce !== 'boolean') throw new HttpError(400, 'bad_input', 'failsOnce is true or false.')
      const { ready } = await queue.counts()
      if (ready >= MOST_WAITING) throw new HttpError(503, 'full', 'Enough jobs wait already. Try again later.')
      const by = await nameOf(request)
      const { id } = await queue.add('report', { by, failsOnce }, { backoff: 1000 })
      send(response, 202, { id, ...(await state(queue)) })
    },
  }
}

/** Returns the latest jobs, newest first. */
async function state(queue) {
  const [counts, ...lists] = await Promise.all([
    queue.counts(),
    ...STATES.map((state) => queue.list(state, { limit: MOST_WAITING })),
  ])
  const newest = lists.flat().sort((a, b) => b.createdAt - a.createdAt)
  return { counts, jobs: newest.slice(0, SHOWN).map(shown) }
}

function shown({ id, data, state, attempt, attempts, progress = 0, result, error, createdAt }) {
  return { id, by: data.by, state, attempt, attempts, progress, result, error: error?.message, createdAt }
}
