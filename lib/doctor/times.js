'use strict'

// How long the server takes, and what time it has.

const { now } = require('../clock.js')
const { ping } = require('../health/probe.js')

const PINGS = 50
const SLOW_P50 = 20
const SLOW_P99 = 100
const APART_MS = 1000

/** Sends PINGs one after the other until there are enough or three quarters of the time are over. */
async function checkLatency(report, { native }, deadline) {
  const enough = deadline.left / 4
  const times = []
  while (times.length < PINGS && (times.length === 0 || deadline.left > enough)) times.push(await ping(native))
  times.sort((a, b) => a - b)
  const [p50, p99] = [0.5, 0.99].map((share) => times[Math.min(times.length - 1, Math.floor(share * times.length))])
  const found = `${times.length} PINGs took ${rounded(p50)} ms (p50) and ${rounded(p99)} ms (p99)`
  if (p50 > SLOW_P50) {
    report.warning(
      'latency',
      'slow',
      `${found}; more than ${SLOW_P50} ms are added to each request that needs the server`,
      'use a server in the same region and network',
    )
  } else if (p99 > SLOW_P99) {
    report.warning(
      'latency',
      'uneven',
      `${found}; some calls are much slower than the others`,
      'find long commands (SLOWLOG GET, LATENCY DOCTOR), or what else keeps either machine busy',
    )
  } else {
    report.ok('latency', found)
  }
}

function rounded(ms) {
  return Math.round(ms * 10) / 10
}

async function checkClock(report, { native }) {
  const before = Date.now()
  const [seconds, microseconds] = await native.probe(['TIME'])
  const after = Date.now()
  const server = Number(seconds) * 1000 + Number(microseconds) / 1000
  // The reply was made at some moment between the two.
  const ahead = server > after ? server - after : Math.min(0, server - before)
  if (Math.abs(ahead) <= APART_MS) {
    report.ok('clock', 'the clocks of the server and of this machine agree within a second')
    return
  }
  const direction = ahead > 0 ? 'ahead of' : 'behind'
  const found = `the clock of the server is ${Math.round(Math.abs(ahead) / 100) / 10} s ${direction} that of this machine: resetTime of limits, times of jobs and startAt of repeats differ by it; ttls do not`
  report.warning('clock', 'clock', found, 'run NTP on both machines')
}

module.exports = { checkClock, checkLatency }
