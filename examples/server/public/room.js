// The room card: its users, its messages, and new ones as they are sent.
import { api } from './api.js'
import { byId, make, onClick, onSubmit, say, sayError } from './dom.js'
import { onLive, watch } from './live.js'

const select = byId('room')
const path = (action = '') => `/api/rooms/${encodeURIComponent(select.value)}${action}`

// By id: a sent message arrives live, and also in the response to its sender.
const messages = new Map()

onClick('room-join', 'room-outcome', async () => {
  show((await api('POST', path('/join'))).body)
  // An open stream keeps the visitor in the room.
  watch()
  say('room-outcome', 'You are in the room.', 'good')
  byId('message').focus()
})

onClick('room-leave', 'room-outcome', async () => {
  show((await api('POST', path('/leave'))).body)
  say('room-outcome', 'You left the room.', 'good')
})

onSubmit('say', 'room-outcome', async ({ message }) => {
  show((await api('POST', path('/say'), { message })).body)
  say('room-outcome', 'Said.', 'good')
})

select.addEventListener('change', () => {
  messages.clear()
  byId('room-users').replaceChildren()
  draw()
  say('room-outcome', '')
  watch(select.value)
})

onLive('ready', refresh)
onLive('people', refresh)
onLive('message', (message) => {
  messages.set(message.id, message)
  draw()
})

async function refresh() {
  try {
    show((await api('GET', path())).body)
  } catch (error) {
    sayError('room-outcome', error)
  }
}

function show(state) {
  // A response for a room that is no longer shown.
  if (state.room !== select.value) return
  byId('room-users').replaceChildren(
    ...(state.users.length
      ? state.users.map((name) => make('li', name))
      : [make('li', 'no users yet', { class: 'none' })]),
  )
  for (const message of state.messages) messages.set(message.id, message)
  draw()
}

/** Shows the messages, oldest first, and adds only new ones, so that a screen reader reads only these. */
function draw() {
  const list = byId('room-messages')
  const drawn = new Map([...list.children].map((line) => [line.dataset.id, line]))
  const ordered = [...messages.values()].sort((a, b) => a.at - b.at)
  const lines = ordered.map((message) => drawn.get(message.id) ?? line(message))
  const grew = lines.length > drawn.size
  list.append(...lines.filter((each) => !each.isConnected))
  for (const [id, old] of drawn) if (!messages.has(id)) old.remove()
  if (grew) list.scrollTop = list.scrollHeight
}

function line({ id, at, name, text }) {
  const item = make('li', '', { 'data-id': id })
  const time = make('time', new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }))
  item.append(make('strong', name), time, make('span', text))
  return item
}

watch(select.value)
