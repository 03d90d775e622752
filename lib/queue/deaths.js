'use strict'

const clock = require('../clock.js')

const MINUTE = 60_000
const MOST_CHARACTERS = 500
// Queues that are remembered: what is said too often harms less than what grows.
const MOST_QUEUES = 1000

// Those who hear of deaths in this process; whoever wants none of it is not in here.
const listening = new Set()
// What was said of each queue: when, and how many died since then of whom nothing was said.
const said = new Map()

/** Somebody listens to a queue, whose `scope` it has in common with all who do, and `hears` of some jobs' deaths. */
function listens(events) {
  listening.add(events)
}

function listensNoMore(events) {
  listening.delete(events)
}

/** A job has died here. Nobody may be there who hears of it: then it is said, one line a queue and minute. */
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
  const more = before?.unsaid > 0 ? `; ${before.unsaid} more have died since this was last said` : ''
  console.error(
    `cinnabar: job ${quoted(id)} (${quoted(name)}) of the queue ${quoted(queue)} is dead: it failed for good${tries}: ` +
      `${line(failure)}${more}. queue.on('dead', …) hears of each`,
  )
}

const quoted = (text) => JSON.stringify(text)

// What was thrown, as one line that nothing in it can end.
function line({ name, message } = {}) {
  const text = `${name ?? 'Error'}: ${message ?? 'nobody knows why'}`.replaceAll(/[\s\p{Cc}]+/gu, ' ')
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text
}

module.exports = { listens, listensNoMore, tellDeath }
