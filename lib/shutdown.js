'use strict'

const { constants } = require('node:os')

const { getBridge } = require('./bridge.js')
const { later, nextTurn } = require('./clock.js')
const { announceClosing } = require('./closing.js')
const { argumentError } = require('./error.js')
const { milliseconds } = require('./health/options.js')
const { releaseHolds } = require('./keep-alive.js')
const { nativeOf, unlimited } = require('./native-service.js')
const { isArray, ownOptions } = require('./options.js')

const DEFAULT_SIGNALS = ['SIGTERM', 'SIGINT']
const DRAIN_MS = 5000
const OPTIONS = ['signals', 'service', 'beforeMs', 'drainMs']
const UNCATCHABLE = ['SIGKILL', 'SIGSTOP']

// By signal: its single listener, and what to drain. Shared with other copies of this package, which hot reload creates.
const waiting = (globalThis[Symbol.for('cinnabar.shutdown')] ??= new Map())

/**
 * Drains a service on a signal, then lets the process exit as it would have without this handler. Without `service`, drains all
 * services of this environment. Takes options, or the signals and the service. Returns a function that removes the handler. Repeated calls
 * share one listener per signal.
 */
function shutdownOnSignal(...args) {
  const { signals = DEFAULT_SIGNALS, service, beforeMs = 0, drainMs = DRAIN_MS } = settingsOf(args)
  milliseconds(beforeMs, 'beforeMs', { zero: true })
  milliseconds(drainMs, 'drainMs', { zero: true })
  const names = namesOf(signals)
  const unknown = names.find((signal) => !Object.hasOwn(constants.signals, signal) || UNCATCHABLE.includes(signal))
  if (unknown !== undefined) {
    throw argumentError(
      `signals must be names of signals that a process can catch, got ${JSON.stringify(unknown.slice(0, 40))}`,
    )
  }
  const native = service === undefined ? undefined : unlimited(nativeOf(service))
  const bridge = getBridge()
  const what = service ?? bridge
  const drainer = {
    what,
    beforeMs,
    announce: () => announceClosing(native ?? bridge),
    drain: () => (service ? service.disconnect({ drainMs }) : disconnectAll(bridge, drainMs)),
    stop: () => names.forEach((signal) => remove(signal, drainer)),
  }
  try {
    for (const signal of names) add(signal, drainer)
  } catch (error) {
    drainer.stop()
    throw error
  }
  return drainer.stop
}

function settingsOf([first, service]) {
  const isOptions = typeof first === 'object' && first !== null && !isArray(first)
  return isOptions ? ownOptions(first, OPTIONS) : { signals: first, service }
}

// A copy, since the array may be changed before the handler is removed.
function namesOf(signals) {
  try {
    const names = isArray(signals) ? Array.from(signals) : undefined
    if (names?.every((signal) => typeof signal === 'string')) return names
  } catch (error) {
    throw argumentError('signals could not be read', error)
  }
  throw argumentError('signals must be an array of names such as SIGTERM')
}

async function disconnectAll(bridge, drainMs) {
  try {
    await bridge.disconnectAll(drainMs)
  } finally {
    releaseHolds()
  }
}

function add(signal, drainer) {
  if (!waiting.has(signal)) {
    const listener = () => shutDown(signal)
    process.on(signal, listener)
    waiting.set(signal, { listener, all: new Set() })
  }
  waiting.get(signal).all.add(drainer)
}

function remove(signal, drainer) {
  const found = waiting.get(signal)
  if (!found?.all.delete(drainer) || found.all.size > 0) return
  process.removeListener(signal, found.listener)
  waiting.delete(signal)
}

async function shutDown(signal) {
  const all = [...waiting.get(signal).all]
  // Removed first, so that a second signal ends the process immediately.
  for (const drainer of all) drainer.stop()
  for (const { announce } of all) announce?.()
  // Draining everything may drain what another call is to drain later, so all wait for the longest time.
  const beforeMs = Math.max(...all.map((drainer) => drainer.beforeMs ?? 0))
  if (beforeMs > 0) await new Promise((resolve) => later(beforeMs, resolve))
  const drains = new Map(all.map(({ what, drain }) => [what, drain]))
  await Promise.allSettled([...drains.values()].map((drain) => drain()))
  // Lets code that was waiting for the last results run.
  await new Promise((resolve) => nextTurn(resolve))
  // If other listeners remain, they decide when the process exits.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
}

module.exports = { shutdownOnSignal }
