// The cache card: hit or miss, and how long each load took.
import { api } from './api.js'
import { byId, facts, make, onClick, say } from './dom.js'

const LOADS_SHOWN = 12
const loads = []

onClick('profile-load', 'cache-outcome', async () => {
  const { body } = await api('GET', '/api/profile')
  byId('cache-reading').hidden = false
  byId('cache-result').textContent = body.result
  byId('cache-result').dataset.kind = body.result === 'hit' ? 'good' : 'warn'
  byId('cache-ms').textContent = String(body.ms < 10 ? body.ms : Math.round(body.ms))
  facts(byId('profile-facts'), { key: body.key, ...body.profile })
  history(body)
  const words =
    body.result === 'hit' ? 'Hit: returned from the cache.' : 'Miss: loaded from the slow source, and stored.'
  say('cache-outcome', words, 'good')
})

onClick('profile-invalidate', 'cache-outcome', async () => {
  const { body } = await api('DELETE', '/api/profile')
  say('cache-outcome', `Invalidated: everything with the tag ${body.invalidated}. The next load is a miss.`, 'good')
})

/** One bar per load, on a square-root scale, so that a hit of 1 ms is visible beside a miss of 600 ms. */
function history({ result, ms }) {
  loads.push({ result, ms })
  if (loads.length > LOADS_SHOWN) loads.shift()
  const most = Math.max(...loads.map((load) => load.ms))
  byId('cache-history').replaceChildren(
    ...loads.map((load) => {
      const bar = make('li', '', { 'data-kind': load.result, title: `${load.result}, ${load.ms} ms` })
      bar.append(make('span', `${load.result}, ${load.ms} ms`, { class: 'only-read' }))
      bar.style.height = `${Math.max(6, 100 * Math.sqrt(load.ms / most))}%`
      return bar
    }),
  )
}
