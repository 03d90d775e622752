// The session card with the devices of the user, and the name of the engine, which comes with the first response.
import { api } from './api.js'
import { onCheck } from './connection.js'
import { byId, facts, make, onClick, onSubmit, say, sayError } from './dom.js'
import { onLive, watch } from './live.js'

let wasIn = false
let shown = 0
// Requests of this page that end its session: its stream reports that too.
let leaving = 0

onSubmit('login', 'session-outcome', async ({ name }) => {
  const { body } = await api('POST', '/api/login', { name })
  show(body)
  // The stream of a user reports what happens to the devices.
  watch()
  say('session-outcome', `Signed in, on ${count(body.devices)}.`, 'good')
  byId('note').focus()
})

onSubmit('note-form', 'session-outcome', async ({ note }) => {
  const { body } = await api('PATCH', '/api/session', { note })
  show(body)
  say('session-outcome', 'Updated: only the note changed, and the ttl was renewed.', 'good')
})

onClick('logout', 'session-outcome', () => leave('POST', '/api/logout', 'Signed out. The session was deleted.'))
onClick('logout-everywhere', 'session-outcome', () =>
  leave('POST', '/api/logout-everywhere', 'Signed out everywhere. No session of this user is left.'),
)

/** Sends a request that ends the session of this page. */
async function leave(method, path, words) {
  leaving++
  try {
    show((await api(method, path)).body)
  } finally {
    leaving--
  }
  watch()
  say('session-outcome', words, 'good')
  byId('name').focus()
}

async function revoke({ publicId, current, device }) {
  const path = `/api/devices/${publicId}`
  if (current) return leave('DELETE', path, 'Signed out. The session was deleted.')
  show((await api('DELETE', path)).body)
  say('session-outcome', `Ended: ${device}.`, 'good')
}

/** Shows a session with the devices of its user, or the form to sign in. */
function show({ session, devices }) {
  shown++
  wasIn = Boolean(session)
  byId('login').hidden = Boolean(session)
  byId('signed').hidden = !session
  const { userId, name, note, createdAt } = session ?? {}
  facts(byId('session-facts'), { userId, name, note, createdAt })
  showDevices(devices)
}

/** Shows the devices. Lines that are there already stay, so that a button keeps the focus. */
function showDevices(devices) {
  const list = byId('devices')
  const drawn = new Map([...list.children].map((line) => [line.dataset.id, line]))
  const lines = devices.map((device) => drawn.get(device.publicId) ?? line(device))
  for (const each of list.querySelectorAll('li')) if (!lines.includes(each)) each.remove()
  list.append(...lines.filter((each) => !each.isConnected))
}

function line(described) {
  const { publicId, device, createdAt, current } = described
  const item = make('li', '', { 'data-id': publicId })
  const words = make('p')
  const since = new Date(createdAt).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  words.append(make('strong', device), make('span', since, { class: 'note' }))
  if (current) words.append(make('span', 'this one', { class: 'badge', 'data-kind': 'good' }))
  const button = make('button', 'End', { type: 'button', id: `end-${publicId}`, 'aria-label': `End ${device}` })
  button.addEventListener('click', () => revoke(described).catch((error) => sayError('session-outcome', error)))
  item.append(words, button)
  return item
}

const count = ({ length }) => (length === 1 ? 'one device' : `${length} devices`)

onLive('ready', () => refresh())
onLive('session', () => {
  if (leaving === 0) refresh()
})

onCheck(({ state }, before) => {
  const engine = byId('engine')
  if (state === 'none') {
    if (['redis', 'server'].includes(before.state)) refresh()
    return
  }
  engine.dataset.kind = 'bad'
  byId('engine-name').textContent =
    state === 'server' ? "The example's server does not respond" : 'Redis is unreachable'
})

// A page that finds itself signed out cannot know why: it may ask before it hears of the end.
const SIGNED_OUT = 'Signed out: the session was ended on another device, or the store lost it.'

async function refresh() {
  const [before, was] = [shown, wasIn]
  try {
    const { body } = await api('GET', '/api/session')
    byId('engine').dataset.kind = body.engine.embedded ? 'embedded' : 'server'
    byId('engine-name').textContent = body.engine.embedded
      ? 'Embedded engine, in the server’s own process'
      : `Redis server at ${body.engine.host}`
    // Signed in or out meanwhile.
    if (shown !== before) return
    show(body)
    if (!body.session && was) {
      say('session-outcome', SIGNED_OUT)
      watch()
    } else if (!body.session && shown === 1) say('session-outcome', 'Not signed in.')
  } catch (error) {
    sayError('session-outcome', error)
  }
}

refresh()
