// What was said, in order, with lines between for who came and went, and for what is missing.
import { avatar, byId, clock, make } from './dom.js'

const MAX_LINES = 400
/** What one person says within this time stands below one name. */
const TOGETHER_MS = 120_000

const log = byId('log')
let lastSeq
let lastMessage = null

/** The number of the last message that was shown; undefined before the first. */
export const since = () => lastSeq

/** Starts anew, for another room. */
export function clear() {
  lastSeq = undefined
  lastMessage = null
  log.replaceChildren()
}

/** Shows a message, once. `mine` are those of this person. */
export function showMessage({ seq, from, text, timestamp }, mine) {
  if (lastSeq !== undefined && seq <= lastSeq) return
  lastSeq = seq
  const at = new Date(timestamp)
  const follows = lastMessage?.from === from && at - lastMessage.at < TOGETHER_MS
  lastMessage = { from, at }
  const item = make('li', '', { class: 'message', 'data-seq': seq })
  if (mine) item.classList.add('mine')
  if (follows) item.classList.add('follows')
  const head = make('div', '', { class: 'head' })
  head.append(make('strong', from), clock(at))
  const body = make('div', '', { class: 'body' })
  body.append(head, make('p', text))
  item.append(avatar(from), body)
  append(item)
}

/** Shows a line that is not a message: `join`, `leave`, `link` or `gap`. */
export function showLine(kind, text) {
  lastMessage = null
  const item = make('li', '', { class: 'line', 'data-kind': kind })
  item.append(make('span', text), clock(new Date()))
  append(item)
}

/** Shows where messages are missing, and how many if that is known. */
export function showGap(missed) {
  const many = missed === 1 ? '1 message is missing here' : `${missed} messages are missing here`
  showLine('gap', missed === 'unknown' ? 'some messages may be missing here' : many)
}

function append(item) {
  // Does not scroll while the reader is further up.
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80
  log.append(item)
  while (log.children.length > MAX_LINES) log.firstChild.remove()
  if (atEnd) log.scrollTop = log.scrollHeight
}
