'use strict'

/** What this process knows of its connections without asking anybody. */
function statusOf(native) {
  const status = native.status?.() ?? described(native)
  return { ...status, lastError: status.lastError && problemOf(status.lastError, status.lastError.at) }
}

// One connection carries all calls of a process; while there is none, calls are refused and the server is dialled.
function described(native) {
  const { engine, host, port, isConnected: connected = native.isConnected } = native.describe()
  const size = connected ? 1 : 0
  const pool = { size, available: size, pending: 0 }
  const state = connected ? 'closed' : 'open'
  const nodes = engine === 'memory' ? [] : [{ host, port, role: 'unknown', connected, breaker: state, pool }]
  const breaker = { state, calls: 0, failed: 0, slow: 0, retryInMs: null }
  const topology = engine === 'memory' ? 'memory' : 'single'
  return { topology, connected, pool, breaker, lastError: null, reconnects: 0, nodes }
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
