'use strict'

// A view as lines of text.

const { bytes, duration, number, printable, shortened } = require('../text.js')

const COMMANDS = 10
const HEAD = 'commands          per second    busy'
const SLOWEST = 'slowest                  per call'
const NAME = 18
const LEFT = 42
const NEARLY_FULL = 0.9
const UNKNOWN = '-'

/** Lines of at most `columns` characters, with as many commands as fit into `rows`. */
function linesOf(view, paint, { columns = 80, rows = Infinity } = {}) {
  const { server, ping, queues } = view
  const above = [
    [titleOf(view)],
    [''],
    memoryOf(server),
    [
      `calls/s ${rate(server.opsPerSecond)}   hit rate ${percent(server.hitRate)}   expired/s ${rate(server.expiredPerSecond)}   evicted/s ${rate(server.evictedPerSecond)}`,
      server.evictedPerSecond > 0 ? 'warning' : undefined,
    ],
    [
      `ping p50 ${milliseconds(ping.p50Ms)}   p99 ${milliseconds(ping.p99Ms)}   (${number(ping.count)} in the last minute)`,
    ],
    ...(queues.length > 0 ? [[''], ...queues.map(queueLine)] : []),
    [''],
  ]
  const left = Math.max(0, Math.min(COMMANDS, rows - above.length - 1))
  return [...above, ...commandLines(view, left)].map(([text, colour]) => {
    const line = shortened(text, columns)
    return colour ? paint(colour, line) : line
  })
}

function titleOf({ target, server }) {
  const { product, version, role, port, primaries, uptimeSeconds } = server
  // In a cluster, the target is all of them.
  const which = primaries === null ? role : `port ${port ?? UNKNOWN}, one of ${primaries} primaries`
  const up = uptimeSeconds === null ? null : `up ${duration(uptimeSeconds * 1000)}`
  const about = [printable(`${product} ${version ?? ''}`).trim(), which, up].filter(Boolean).join(', ')
  return `${about}, at ${target}`
}

function memoryOf({ clients, usedMemory, maxMemory }) {
  const used = usedMemory === null ? UNKNOWN : bytes(usedMemory)
  const most = maxMemory > 0 ? ` of ${bytes(maxMemory)}` : ''
  const isFull = maxMemory > 0 && usedMemory / maxMemory >= NEARLY_FULL
  return [
    `clients ${clients === null ? UNKNOWN : number(clients)}   memory ${used}${most}`,
    isFull ? 'warning' : undefined,
  ]
}

function queueLine({ queue, counts, paused }) {
  const states = Object.entries(counts).map(([state, count]) => `${state} ${number(count)}`)
  return [
    `queue ${printable(queue, NAME)}   ${states.join('   ')}${paused ? '   paused' : ''}`,
    paused ? 'warning' : undefined,
  ]
}

/** The most frequent commands, and beside them those that take longest. */
function commandLines({ commands, intervalMs }, most) {
  if (commands.length === 0) return intervalMs === null ? [] : [['the server counts no commands', 'dim']]
  const slowest = commands.toSorted((a, b) => b.meanMicroseconds - a.meanMicroseconds)
  const lines = commands.slice(0, most).map((command, at) => {
    const { name, perSecond, busy } = command
    const left = `${named(name)}${rate(perSecond).padStart(10)}${percent(busy).padStart(8)}`
    const { name: slow, meanMicroseconds } = slowest[at]
    return [`${left.padEnd(LEFT)}${named(slow)}${milliseconds(meanMicroseconds / 1000).padStart(15)}`]
  })
  return [[`${HEAD.padEnd(LEFT)}${SLOWEST}`, 'dim'], ...lines]
}

function named(name) {
  return printable(name, NAME).padEnd(NAME)
}

function rate(value) {
  if (value === null) return UNKNOWN
  return value < 10 ? String(value) : number(Math.round(value))
}

function percent(share) {
  return share === null ? UNKNOWN : `${Math.round(share * 1000) / 10} %`
}

function milliseconds(ms) {
  if (ms === null) return UNKNOWN
  if (ms < 0.01) return `${Math.round(ms * 10_000) / 10} µs`
  if (ms < 1) return `${Math.round(ms * 1000)} µs`
  return ms < 1000 ? `${Math.round(ms * 10) / 10} ms` : `${Math.round(ms / 100) / 10} s`
}

module.exports = { linesOf }
