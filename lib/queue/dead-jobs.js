'use strict'

const clock = require('../clock.js')

const MINUTE = 60_000
const MOST_CHARACTERS = 500
// How many queues are remembered. Above that, logging too often is better than growing without bound.
const MOST_QUEUES = 1000

// The event listeners of this process.
const listening = new Set()
// By queue: when a dead job was last logged, and how many have died since without being logged.
const said = new Map()

/** Registers `events`, the listeners of a queue. Objects for the same queue have the same `scope`. */
function listens(events) {
  listening.add(events)
}

function listensNoMore(events) {
  listening.delete(events)
}

/** Logs the death of a job in this process unless a listener receives it, at most once a minute per queue. */
function tellDeath(scope, queue, { id, name, attempt }, failure) {
  if ([...listening].some((events) => events.scope === scope && events.hearsDeath(id))) return
  const now = clock.now()
  const before = said.get(scope)
  if (before && now - before.at < MINUTE) {
    before.unsaid++
    return
  }
  if (said.size >= MOST_QUEUES) said.clear()
  said.set(scope, { at: now, unsaid: 0 })
  const tries = attempt > 0 ? ` in attempt ${attempt}` : ''
  const more = before?.unsaid > 0 ? `; ${before.unsaid} more have died since the last such message` : ''
  console.error(
    `cinnabar: job ${quoted(id)} (${quoted(name)}) of the queue ${quoted(queue)} is dead: it failed permanently${tries}: ` +
      `${line(failure)}${more}. Use queue.on('dead', …) to receive every one`,
  )
}

const quoted = (text) => JSON.stringify(text)

// The error as a single line; line breaks and control characters in it are replaced.
function line({ name, message } = {}) {
  const text = `${name ?? 'Error'}: ${message ?? 'unknown reason'}`.replaceAll(/[\s\p{Cc}]+/gu, ' ')
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text
}

module.exports = { listens, listensNoMore, tellDeath }
