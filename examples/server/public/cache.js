// The cache card: where the profile came from, and how long that took.
import { api } from './api.js'
import { byId, facts, make, onClick, say } from './dom.js'
import { onLive } from './live.js'

const LOADS_SHOWN = 12
const loads = []
const WORDS = {
  load: 'Load: it was missing, came from the slow source, and is stored.',
  hit: 'Hit: returned from the store.',
  near: 'Near: returned from the memory of the server process, without a call.',
  stale: 'Stale: returned from the store, while a new one is loaded.',
}

onClick('profile-load', 'cache-outcome', async () => {
  const { body } = await api('GET', '/api/profile')
  byId('cache-reading').hidden = false
  byId('cache-result').textContent = body.source
  byId('cache-result').dataset.kind = body.source === 'load' ? 'warn' : 'good'
  byId('cache-ms').textContent = String(body.ms < 10 ? body.ms : Math.round(body.ms))
  facts(byId('profile-facts'), { key: body.key, ...body.profile })
  history(body)
  say('cache-outcome', WORDS[body.source], 'good')
})

onClick('profile-invalidate', 'cache-outcome', async () => {
  const { body } = await api('DELETE', '/api/profile')
  say('cache-outcome', `Invalidated: everything with the tag ${body.invalidated}. The next one is loaded.`, 'good')
})

// Until the stream says otherwise, which it does for users only.
onLive('ready', () => (byId('cache-near').hidden = true))

// Also when another server has invalidated it.
onLive('near', ({ isNear, number, other }) => {
  const server = other === null ? 'the server' : `server ${number}`
  byId('cache-near').hidden = false
  byId('cache-near').dataset.state = isNear ? 'on' : 'off'
  byId('cache-near-words').textContent = isNear ? `in memory of ${server}` : `not in memory of ${server}`
  byId('cache-other').hidden = other === null
  if (other === null) return
  byId('cache-other').href = other
  byId('cache-other').textContent = `open server ${3 - number}`
})

/** One bar per load, on a square-root scale, so that a hit of 1 ms is visible beside a load of 600 ms. */
function history({ source, ms }) {
  loads.push({ source, ms })
  if (loads.length > LOADS_SHOWN) loads.shift()
  const most = Math.max(...loads.map((load) => load.ms))
  byId('cache-history').replaceChildren(
    ...loads.map((load) => {
      const bar = make('li', '', { 'data-kind': load.source, title: `${load.source}, ${load.ms} ms` })
      bar.append(make('span', `${load.source}, ${load.ms} ms`, { class: 'only-read' }))
      bar.style.height = `${Math.max(6, 100 * Math.sqrt(load.ms / most))}%`
      return bar
    }),
  )
}
