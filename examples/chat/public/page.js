// The page: the user, the room, and sending messages.
import { avatar, byId, make } from './dom.js'
import { Link } from './link.js'
import { clear, showGap, showLine, showMessage, since } from './log.js'
import { addPerson, removePerson, setPeople } from './people.js'

const ROOMS = ['lobby', 'workshop', 'garden']

const me = { name: sessionStorage.getItem('name') ?? '', room: sessionStorage.getItem('room') ?? ROOMS[0] }
/** The number of the message that is being sent, until it is confirmed. */
let saying = null
let said = 0
let wasOn = false

const link = new Link({
  entry: () => ({ type: 'enter', ...me, since: since() }),
  received: (message) => handlers[message.type]?.(message),
  changed: showState,
})

const handlers = {
  message: (message) => showMessage(message, message.from === me.name),
  gap: ({ missed }) => showGap(missed),
  people: ({ people }) => setPeople(people),
  join({ name }) {
    addPerson(name)
    showLine('join', `${name} joined`)
  },
  leave({ name }) {
    removePerson(name)
    showLine('leave', `${name} left`)
  },
  said({ id }) {
    if (saying?.id !== id) return
    saying = null
    byId('text').value = ''
    say('')
    allowSaying()
  },
  refused({ words }) {
    saying = null
    say(words)
    allowSaying()
  },
}

function showState({ state, words }) {
  byId('state').dataset.state = state
  byId('state-words').textContent = words
  byId('link').textContent = state === 'off' || (state === 'lost' && !link.reconnects) ? 'Connect' : 'Disconnect'
  if (state === 'on' && wasOn) showLine('link', `back again: ${words}`)
  if (state === 'away') showLine('link', words)
  if (state === 'lost' && wasOn) showLine('link', words.replace(', trying again', ''))
  if (state === 'on') {
    wasOn = true
    say('')
  } else if (state !== 'away') setPeople([])
  if (saying && state !== 'on' && state !== 'away') {
    saying = null
    say('The connection was lost meanwhile: check whether this was sent before you send it again.')
  }
  allowSaying()
}

function allowSaying() {
  const can = byId('state').dataset.state === 'on'
  byId('text').disabled = !can
  byId('text').placeholder = can ? `Say something in ${me.room}` : 'Not connected'
  byId('text').readOnly = saying !== null
  byId('send').disabled = !can || saying !== null
}

function say(words) {
  byId('outcome').textContent = words
}

function enter() {
  sessionStorage.setItem('name', me.name)
  sessionStorage.setItem('room', me.room)
  byId('enter').hidden = true
  byId('you').hidden = false
  byId('my-name').textContent = me.name
  avatar(me.name, byId('my-avatar'))
  drawRooms()
  clear()
  wasOn = false
  link.open()
}

function drawRooms() {
  byId('room-title').textContent = `# ${me.room}`
  byId('rooms').replaceChildren(
    ...ROOMS.map((room) => {
      const item = make('li')
      const button = make('button', `# ${room}`, { type: 'button' })
      if (room === me.room) button.setAttribute('aria-current', 'true')
      button.addEventListener('click', () => go(room))
      item.append(button)
      return item
    }),
  )
}

function go(room) {
  if (room === me.room) return
  me.room = room
  if (me.name) enter()
  else drawRooms()
}

byId('enter').addEventListener('submit', (event) => {
  event.preventDefault()
  me.name = byId('name').value.trim()
  if (me.name) enter()
})

byId('say').addEventListener('submit', (event) => {
  event.preventDefault()
  const text = byId('text').value.trim()
  if (!text || saying) return
  const id = (said += 1)
  if (!link.send({ type: 'say', id, text })) return say('Not connected: this was not sent.')
  saying = { id }
  allowSaying()
  byId('text').focus()
})

byId('auto').addEventListener('change', ({ target }) => (link.reconnects = target.checked))

byId('link').addEventListener('click', () => {
  if (byId('link').textContent === 'Connect') return link.open()
  wasOn = false
  link.close()
})

drawRooms()
if (me.name) enter()
