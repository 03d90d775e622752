'use strict'

const clock = require('../clock.js')

const MINUTE_MS = 60_000
const MOST_CHARACTERS = 500
// How many queues are remembered. Above that, logging too often is better than growing without bound.
const MOST_QUEUES = 1000

// The subscribed event listeners of this process.
const subscribed = new Set()
// By queue: when a dead job was last logged, and how many have died since without being logged.
const lastLogged = new Map()

/** Registers `events`, the listeners of a queue. Objects for the same queue have the same `scope`. */
function addListeners(events) {
  subscribed.add(events)
}

function removeListeners(events) {
  subscribed.delete(events)
}

/** Logs that a job died in this process unless a listener is notified of it, at most once a minute per queue. */
function logDeadJob(scope, queue, { id, name, attempt }, failure) {
  if ([...subscribed].some((events) => events.scope === scope && events.notifiesOfDeath(id))) return
  const now = clock.now()
  const last = lastLogged.get(scope)
  if (last && now - last.at < MINUTE_MS) {
    last.skipped++
    return
  }
  if (lastLogged.size >= MOST_QUEUES) lastLogged.clear()
  lastLogged.set(scope, { at: now, skipped: 0 })
  const tries = attempt > 0 ? ` in attempt ${attempt}` : ''
  const more = last?.skipped > 0 ? `; ${last.skipped} more have died since the last such message` : ''
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

module.exports = { addListeners, logDeadJob, removeListeners }
