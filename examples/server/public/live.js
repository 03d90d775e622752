// The page's one stream of events. It comes back by itself when the connection was lost.
import { byId } from './dom.js'

const listeners = new Map()
let stream

/** Calls the handler with each event of a kind: `room`, `counter`, `job`, or `ready` after each connect. */
export function onLive(kind, handler) {
  listeners.set(kind, [...(listeners.get(kind) ?? []), handler])
}

/** Watches a room instead of the one before. */
export function watch(room) {
  stream?.close()
  stream = new EventSource(`/api/rooms/${encodeURIComponent(room)}/live`)
  stream.onerror = () => state('off', 'connection lost, trying again')
  for (const kind of ['ready', 'room', 'counter', 'job']) {
    stream.addEventListener(kind, (event) => {
      if (kind === 'ready') state('on', 'live')
      for (const handler of listeners.get(kind) ?? []) handler(JSON.parse(event.data))
    })
  }
}

function state(name, words) {
  byId('live').dataset.state = name
  byId('live-words').textContent = words
}
