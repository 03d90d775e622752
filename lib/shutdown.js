'use strict'

const { getBridge } = require('./bridge.js')
const { nextTurn } = require('./clock.js')
const { argumentError } = require('./error.js')
const { handleOf } = require('./handle.js')

const DRAIN_MS = 5000

// By signal: its one listener, and who is drained then. Shared with copies of this package, which come with hot reloads.
const waiting = (globalThis[Symbol.for('cinnabar.shutdown')] ??= new Map())

/**
 * Drains at a signal, then lets the process end as it would have without this. Without a service: all of this
 * environment. Answers what takes it back. However often this is called, a signal has one listener.
 */
function shutdownOnSignal(signals = ['SIGTERM', 'SIGINT'], service) {
  if (!Array.isArray(signals) || !signals.every((signal) => typeof signal === 'string')) {
    throw argumentError('signals must be an array of names such as SIGTERM')
  }
  if (service !== undefined) handleOf(service)
  const bridge = getBridge()
  const one = {
    what: service ?? bridge,
    drain: () => (service ? service.disconnect({ drainMs: DRAIN_MS }) : bridge.disconnectAll(DRAIN_MS)),
    stop: () => signals.forEach((signal) => forget(signal, one)),
  }
  try {
    for (const signal of signals) add(signal, one)
  } catch (error) {
    one.stop()
    throw error
  }
  return one.stop
}

function add(signal, one) {
  if (!waiting.has(signal)) {
    const listener = () => shutDown(signal)
    process.on(signal, listener)
    waiting.set(signal, { listener, all: new Set() })
  }
  waiting.get(signal).all.add(one)
}

function forget(signal, one) {
  const found = waiting.get(signal)
  if (!found?.all.delete(one) || found.all.size > 0) return
  process.removeListener(signal, found.listener)
  waiting.delete(signal)
}

async function shutDown(signal) {
  const all = [...waiting.get(signal).all]
  // Gone at once: whoever sends the signal a second time does not want to wait.
  for (const one of all) one.stop()
  const drains = new Map(all.map(({ what, drain }) => [what, drain]))
  await Promise.allSettled([...drains.values()].map((drain) => drain()))
  // What the last answers lead to runs first.
  await new Promise((resolve) => nextTurn(resolve))
  // Others who listen decide themselves when the process ends.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
}

module.exports = { shutdownOnSignal }
