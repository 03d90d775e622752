'use strict'

const { localTime } = require('./store-clock.js')

// No function with 'use cache' may take as long.
const LONGEST_MS = 300_000

// The generations of 'use cache' that ended in this process, in that order, without those after which one ended that had begun before.
// So they are also in the order in which they began.
const ended = []

/** Takes note of a generation that began at a local time, and ends now. */
function generationEnded(startedAt) {
  const at = localTime()
  if (startedAt < at - LONGEST_MS) return
  while (ended.length > 0 && ended.at(-1).startedAt >= startedAt) ended.pop()
  ended.push({ startedAt, at })
  const first = ended.findIndex((each) => each.at >= at - LONGEST_MS)
  ended.splice(0, first)
}

/**
 * When the oldest content of a page may have begun whose rendering began at a local time, and ends now. Next.js lets a request join a
 * generation that another one has begun, even if a tag was invalidated in between.
 */
function earliestContent(renderedAt) {
  const joined = ended.find(({ at }) => at >= renderedAt)
  return joined ? Math.min(joined.startedAt, renderedAt) : renderedAt
}

module.exports = { earliestContent, generationEnded }
