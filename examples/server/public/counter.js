// The lock card: the counter and the present holder of the lock, in every open page.
import { api } from './api.js'
import { onCheck } from './connection.js'
import { byId, onClick, say, sayError } from './dom.js'
import { onLive } from './live.js'

let holder = null
let timer

const add = (hold) => async () => {
  try {
    if (hold) say('lock-outcome', 'Holding the lock for 3 seconds …')
    const { body } = await api('POST', '/api/counter', { hold })
    show(body)
    say('lock-outcome', `Added one under the lock: ${body.value}.`, 'good')
  } catch (error) {
    if (error.status === 409) show(error.body)
    throw error
  }
}

onClick('counter-add', 'lock-outcome', add(false))
onClick('counter-hold', 'lock-outcome', add(true))

onLive('counter', show)
// Events were missed while the stream was disconnected.
onLive('ready', refresh)
onCheck(({ state }) => {
  if (state === 'none') return
  clearInterval(timer)
  byId('lock-state').dataset.kind = 'warn'
  byId('lock-state').textContent = 'not known'
})

async function refresh() {
  try {
    show((await api('GET', '/api/counter')).body)
  } catch (error) {
    sayError('lock-outcome', error)
  }
}

function show(state) {
  byId('counter-value').textContent = String(state.value)
  holder = state.holder
  clearInterval(timer)
  if (holder) timer = setInterval(showHolder, 100)
  showHolder()
}

function showHolder() {
  const badge = byId('lock-state')
  badge.dataset.kind = holder ? 'bad' : 'good'
  if (!holder) {
    badge.textContent = 'free'
    return
  }
  const words = `held by ${holder.name}`
  // Only the remaining time changes with each tick, so that a screen reader reads the name once.
  if (badge.firstChild?.textContent !== words) {
    badge.replaceChildren(document.createElement('span'), document.createElement('span'))
    badge.firstChild.textContent = words
    badge.lastChild.setAttribute('aria-hidden', 'true')
  }
  const left = Math.max(0, holder.until - Date.now()) / 1000
  badge.lastChild.textContent = ` · ${left.toFixed(1)} s`
}
