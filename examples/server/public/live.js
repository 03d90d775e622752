// The page's stream of events. It reconnects after the connection was lost.
import { found, onCheck, suspect } from './connection.js'
import { byId } from './dom.js'

const KINDS = ['ready', 'people', 'message', 'counter', 'job', 'session', 'near']
const AGAIN_MS = 3000

const listeners = new Map()
let stream = null
let isOpen = false
let watched
let retry

/** Calls the handler with each event of a kind: `people`, `message`, `counter`, `job`, `session`, `near`, or `ready` after each connect. */
export function onLive(kind, handler) {
  listeners.set(kind, [...(listeners.get(kind) ?? []), handler])
}

/** Watches a room, instead of the previous one, or reconnects. */
export function watch(room = watched) {
  watched = room
  clearTimeout(retry)
  stream?.close()
  stream = new EventSource(`/api/rooms/${encodeURIComponent(room)}/live`)
  // A browser does not reconnect after an error status, so this does.
  stream.onerror = () => {
    stream.close()
    isOpen = false
    show()
    suspect()
    retry = setTimeout(watch, AGAIN_MS)
  }
  for (const kind of KINDS) {
    stream.addEventListener(kind, (event) => {
      if (kind === 'ready') isOpen = true
      if (kind === 'ready') show()
      for (const handler of listeners.get(kind) ?? []) handler(JSON.parse(event.data))
    })
  }
}

onCheck(({ state }, before) => {
  // The memberships may have expired meanwhile.
  if (state === 'none' && before.state !== 'none' && before.state !== 'unknown') watch()
  show()
})

function show() {
  const isAway = found.state === 'redis' || found.state === 'server'
  byId('live').dataset.state = isAway ? 'warn' : isOpen ? 'on' : 'off'
  byId('live-words').textContent = isAway ? 'not live' : isOpen ? 'live' : 'connecting'
}
