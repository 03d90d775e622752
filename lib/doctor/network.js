'use strict'

// Whether the host names resolve and something accepts connections there: the steps below Redis, without any data sent.

const { lookup } = require('node:dns/promises')
const { connect, isIP } = require('node:net')

const { now } = require('../clock.js')
const { Deadline } = require('../health/deadline.js')
const { nameOf } = require('./settings.js')

const NO_ROUTE = [
  'no-route',
  'no connection is accepted',
  'let firewalls and security groups pass this port, and check that the address can be routed to',
]
/** By the system's code: code, what was found, remedy. */
const REASONS = {
  ECONNREFUSED: [
    'nothing-listens',
    'nothing listens',
    'start the server, or correct the port; in a container, localhost is the container itself',
  ],
  ENOENT: [
    'no-socket',
    'there is no such socket',
    'start the server with unixsocket set to this path, or correct the path',
  ],
  EACCES: [
    'no-access',
    'the system does not allow a connection',
    'give this user access to the socket (unixsocketperm)',
  ],
  E_TIMEOUT: NO_ROUTE,
  ETIMEDOUT: NO_ROUTE,
  EHOSTUNREACH: NO_ROUTE,
  ENETUNREACH: NO_ROUTE,
}

/** Checks each address; returns those that accept connections. One of several that does not is a warning. */
async function checkNetwork(report, target) {
  const problems = []
  const open = []
  for (const address of target.addresses) {
    const problem = await problemOf(report, target, address)
    if (problem) problems.push(problem)
    else open.push(address)
  }
  const level = open.length > 0 ? 'warning' : 'error'
  for (const problem of problems) report[level](...problem)
  return open
}

async function problemOf(report, target, address) {
  return (await unresolved(report, target, address)) ?? (await unconnected(report, target, address))
}

async function unresolved(report, { timeoutMs }, { host }) {
  if (host === undefined || isIP(host)) return undefined
  try {
    const found = await new Deadline(timeoutMs).race(lookup(host, { all: true }))
    report.ok('dns', `${host} is ${found.map(({ address }) => address).join(' and ')}`)
  } catch (error) {
    const slow = error.code === 'E_TIMEOUT' || error.code === 'EAI_AGAIN'
    const found = slow ? `no name server says in time where ${host} is` : `the host name ${host} does not resolve`
    const remedy = slow
      ? 'check the name servers of this machine'
      : 'correct the host name; names of containers resolve only in their own network'
    return ['dns', slow ? 'dns-silent' : 'host-unknown', `${found} (${error.code})`, remedy]
  }
}

async function unconnected(report, { timeoutMs }, address) {
  const started = now()
  // Of several addresses, each gets its share of the time.
  const share = Math.max(10, Math.floor(timeoutMs / 2))
  const socket = connect({ ...address, autoSelectFamilyAttemptTimeout: share })
  try {
    await new Deadline(timeoutMs).race(
      new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject)),
    )
    report.ok('tcp', `${nameOf(address)} accepts connections, after ${Math.round(now() - started)} ms`)
  } catch (error) {
    const [code, words, remedy] = REASONS[error.code] ?? [
      'unreachable',
      'no connection is possible',
      'check the address and the network',
    ]
    return ['tcp', code, `${words} at ${nameOf(address)} (${error.code ?? error.message})`, remedy]
  } finally {
    socket.on('error', () => {}).destroy()
  }
}

module.exports = { checkNetwork }
