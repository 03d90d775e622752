'use strict'

/** The local state of this process's connections. Sends nothing. */
function statusOf(native) {
  const status = native.status()
  return { ...status, lastError: status.lastError && problemOf(status.lastError, status.lastError.at) }
}

/** The message of an error for a report, without its stack. */
function problemOf(error, at = Date.now()) {
  return { code: error?.code ?? 'E_INTERNAL', message: messageOf(error), at: new Date(at).toISOString() }
}

function messageOf(error) {
  return String(error?.message ?? error)
}

/** Whether no call can be sent: the breakers of all servers are open. */
function isShut({ breaker, nodes }) {
  const targets = nodes.filter(({ role }) => role !== 'replica')
  return targets.length > 0 ? targets.every((node) => node.breaker === 'open') : breaker.state === 'open'
}

module.exports = { isShut, messageOf, problemOf, statusOf }
