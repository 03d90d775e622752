'use strict'

const { now } = require('../clock.js')
const { CinnabarError } = require('../error.js')
const { Deadline } = require('./deadline.js')
const { numberOf, parseInfo } = require('./info.js')

const OTHER_KEYS = 8

/**
 * Probes the server. Rejects if it does not respond. If the PING fails, nothing else is sent. Probes do not count for the breaker,
 * so a health check cannot open it.
 *
 * Returns `{ ping, set, get, writeError, info, cluster, infoError }`, where `writeError` and `infoError` are errors.
 */
async function probeServer(native, { deadline, slowMs, connected, inCluster }) {
  const reach = inCluster ? () => reachAny(native, deadline.left / 4) : () => ping(native)
  // The first call may include opening a connection, so its time says nothing about the server's speed.
  if (!connected) await deadline.race(reach())
  let best = await deadline.race(reach())
  // Measured again, in case this process's event loop was blocked during the first measurement.
  if (best > slowMs) best = Math.min(best, await deadline.race(reach()))
  const [key, about] = await Promise.allSettled([measureKey(native, deadline), readInfo(native, deadline)])
  const hangs = key.reason?.code === 'E_TIMEOUT' && about.reason?.code === 'E_TIMEOUT'
  if (hangs && !inCluster) throw about.reason
  return {
    ping: best,
    ...(key.value ?? { set: null, get: null, writeError: key.reason }),
    ...(about.value ?? { info: null, cluster: null, infoError: about.reason }),
  }
}

async function ping(native) {
  const start = now()
  const reply = await native.probePing()
  if (reply !== 'PONG')
    throw new CinnabarError('the server did not reply to PING with PONG', { code: 'E_INVALID_DATA' })
  return since(start)
}

// In a cluster, a PING goes to one server, which may be the only one that hangs. Keys in many slots reach the others.
async function reachAny(native, timeoutMs) {
  try {
    return await new Deadline(timeoutMs).race(ping(native))
  } catch (error) {
    const others = Array.from({ length: OTHER_KEYS }, () => readKey(native))
    return Promise.any([ping(native), ...others]).catch(() => Promise.reject(error))
  }
}

async function readKey(native) {
  const start = now()
  await native.probe(['EXISTS', testKey()])
  return since(start)
}

function testKey() {
  return `cinnabar:health:${crypto.randomUUID()}`
}

async function measureKey(native, deadline) {
  const key = testKey()
  const times = { set: null, get: null, writeError: null }
  try {
    let start = now()
    const stored = await deadline.race(native.probe(['SET', key, '1', 'EX', 10]))
    if (stored !== 'OK') throw new Error('SET did not return OK')
    times.set = since(start)
    start = now()
    if ((await deadline.race(native.probe(['GET', key]))) !== '1')
      throw new Error('the key was missing right after it was written')
    times.get = since(start)
  } catch (error) {
    if (error.code === 'E_TIMEOUT') throw error
    times.writeError = error
  }
  return times
}

async function readInfo(native, deadline) {
  const info = parseInfo(await deadline.race(native.probe(['INFO'])))
  if (info.get('cluster_enabled') !== '1') return { info, cluster: null, infoError: null }
  const [state, nodes] = await deadline.race(
    Promise.all(['INFO', 'NODES'].map((what) => native.probe(['CLUSTER', what]))),
  )
  return { info, cluster: { state: parseInfo(state).get('cluster_state') ?? null, nodes }, infoError: null }
}

/** The progress of a server that is loading its data: `{ percent, seconds }`, or null if unknown. */
async function probeLoading(native, deadline) {
  try {
    const info = parseInfo(await deadline.race(native.probe(['INFO'])))
    if (info.get('loading') !== '1') return null
    return { percent: numberOf(info, 'loading_loaded_perc'), seconds: numberOf(info, 'loading_eta_seconds') }
  } catch {
    return null
  }
}

function since(start) {
  return Math.round((now() - start) * 1000) / 1000
}

module.exports = { probeLoading, probeServer, ping }
