// The strip of requests this page has sent, newest first.
import { byId, make } from './dom.js'

const MAX_LINES = 60

/** Notes one request. */
export function logRequest(method, path, status, ms) {
  const line = make('li')
  line.append(
    make('span', method, { class: 'method' }),
    make('span', path, { class: 'path', title: path }),
    make('span', String(status), { class: 'status', 'data-kind': kindOf(status) }),
    make('span', `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`, { class: 'ms' }),
  )
  const log = byId('log')
  log.prepend(line)
  while (log.children.length > MAX_LINES) log.lastChild.remove()
  byId('log-empty').hidden = true
}

function kindOf(status) {
  if (status === 'failed') return 'bad'
  return status >= 400 ? 'warn' : 'good'
}
