'use strict'

const { getBridge } = require('./bridge.js')
const { nextTurn } = require('./clock.js')
const { argumentError } = require('./error.js')
const { handleOf } = require('./handle.js')

const DRAIN_MS = 5000

/**
 * Drains at a signal, then lets the process end as it would have without this. Without a service: all of this
 * environment. Answers what takes it back.
 */
function shutdownOnSignal(signals = ['SIGTERM', 'SIGINT'], service) {
  if (!Array.isArray(signals) || !signals.every((signal) => typeof signal === 'string')) {
    throw argumentError('signals must be an array of names such as SIGTERM')
  }
  if (service !== undefined) handleOf(service)
  const stop = () => signals.forEach((signal) => process.removeListener(signal, shutDown))
  const shutDown = async (signal) => {
    // Gone at once: whoever sends the signal a second time does not want to wait.
    stop()
    try {
      await (service ? service.disconnect({ drainMs: DRAIN_MS }) : getBridge().disconnectAll(DRAIN_MS))
    } finally {
      // What the last answers lead to runs first.
      await new Promise((resolve) => nextTurn(resolve))
      // Others who listen decide themselves when the process ends.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
    }
  }
  for (const signal of signals) process.on(signal, shutDown)
  return stop
}

module.exports = { shutdownOnSignal }
