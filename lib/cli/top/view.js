'use strict'

// What happened between two samples of a server's counters.

const { identify } = require('../../doctor/server.js')
const { numberOf } = require('../../health/info.js')

const COMMAND = 'cmdstat_'

/** What is shown of two samples, the object of `--json`. Rates are null without a former sample, or if its counters were reset since. */
function viewOf(source, before, after) {
  const rates = before && isContinued(before, after) ? new Rates(before, after) : null
  return {
    target: source.where,
    at: new Date().toISOString(),
    intervalMs: before ? Math.round(after.at - before.at) : null,
    server: serverOf(source, after.info, rates),
    ping: source.pings,
    commands: rates ? commandsOf(rates, after.info) : [],
    queues: after.queues.map(({ queue, ready, delayed, active, done, dead, paused }) => ({
      queue,
      counts: { ready, delayed, active, done, dead },
      paused,
    })),
  }
}

/** Whether it is the same server, and has run since. */
function isContinued(before, after) {
  const ids = [before, after].map(({ info }) => info.get('run_id'))
  return ids[0] === ids[1] && numberOf(after.info, 'uptime_in_seconds') >= numberOf(before.info, 'uptime_in_seconds')
}

/** Differences of counters. A counter that is smaller than before was reset (CONFIG RESETSTAT): then it has none. */
class Rates {
  constructor(before, after) {
    this.before = before.info
    this.after = after.info
    this.seconds = Math.max(0.001, (after.at - before.at) / 1000)
  }

  /** By how much a field has grown; null if that is unknown. */
  growth(name) {
    const [from, to] = [numberOf(this.before, name), numberOf(this.after, name)]
    return from === null || to === null || to < from ? null : to - from
  }

  perSecond(name) {
    const growth = this.growth(name)
    return growth === null ? null : rounded(growth / this.seconds)
  }
}

function serverOf({ primaries }, info, rates) {
  const role = info.get('role')
  return {
    ...identify(info),
    role: role === undefined ? null : role === 'slave' ? 'replica' : 'primary',
    port: numberOf(info, 'tcp_port'),
    primaries,
    uptimeSeconds: numberOf(info, 'uptime_in_seconds'),
    clients: numberOf(info, 'connected_clients'),
    usedMemory: numberOf(info, 'used_memory'),
    maxMemory: numberOf(info, 'maxmemory'),
    opsPerSecond: rates?.perSecond('total_commands_processed') ?? null,
    hitRate: hitRate(rates),
    expiredPerSecond: rates?.perSecond('expired_keys') ?? null,
    evictedPerSecond: rates?.perSecond('evicted_keys') ?? null,
  }
}

// Null if nothing was read.
function hitRate(rates) {
  const [hits, misses] = ['keyspace_hits', 'keyspace_misses'].map((name) => rates?.growth(name) ?? null)
  return hits === null || misses === null || hits + misses === 0 ? null : rounded(hits / (hits + misses), 10_000)
}

/** The commands that ran, the most frequent first: `{ name, perSecond, meanMicroseconds, busy }`, where `busy` is the share of the time. */
function commandsOf({ before, seconds }, info) {
  const found = []
  for (const [field, text] of info) {
    if (!field.startsWith(COMMAND)) continue
    const [was, is] = [statsOf(before.get(field)), statsOf(text)]
    // What ran for the first time has no former entry.
    const [calls, spent] = [is.calls - was.calls, is.usec - was.usec]
    if (!(calls > 0) || !(spent >= 0)) continue
    found.push({
      name: field.slice(COMMAND.length),
      perSecond: rounded(calls / seconds),
      meanMicroseconds: rounded(spent / calls),
      busy: rounded(spent / seconds / 1e6, 10_000),
    })
  }
  return found.sort((a, b) => b.perSecond - a.perSecond)
}

// `calls=12,usec=34,usec_per_call=2.83,…`
function statsOf(text = '') {
  const parts = new Map(text.split(',').map((part) => part.split('=', 2)))
  return { calls: Number(parts.get('calls') ?? 0), usec: Number(parts.get('usec') ?? 0) }
}

function rounded(value, parts = 10) {
  return Math.round(value * parts) / parts
}

module.exports = { viewOf }
