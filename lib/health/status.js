'use strict'

/** What this process knows of its connections without asking anybody. */
function statusOf(native) {
  const status = native.status()
  return { ...status, lastError: status.lastError && problemOf(status.lastError, status.lastError.at) }
}

/** An error in a report: what it was, never where it passed. */
function problemOf(error, at = Date.now()) {
  return { code: error?.code ?? 'E_INTERNAL', message: messageOf(error), at: new Date(at).toISOString() }
}

function messageOf(error) {
  return String(error?.message ?? error)
}

/** Whether calls go nowhere: the breaker of every server that they could go to is open. */
function isShut({ breaker, nodes }) {
  const targets = nodes.filter(({ role }) => role !== 'replica')
  return targets.length > 0 ? targets.every((node) => node.breaker === 'open') : breaker.state === 'open'
}

module.exports = { isShut, messageOf, problemOf, statusOf }
