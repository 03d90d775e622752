'use strict'

// An examination: its steps in order. Each presumes that those before found no error that stops it.

const { parseInfo } = require('../health/info.js')
const { checkEviction } = require('./eviction.js')
const { Use } = require('./features.js')
const { checkKeys } = require('./keys.js')
const { checkLogin } = require('./login.js')
const { checkNetwork } = require('./network.js')
const { Report } = require('./report.js')
const { checkRights } = require('./rights.js')
const server = require('./server.js')
const { readSettings } = require('./settings.js')
const { step } = require('./step.js')
const { checkClock, checkLatency } = require('./times.js')
const { checkTopology } = require('./topology.js')

/** Examines a server: `{ url, tls, timeoutMs, features }`. Never rejects for a fault of the server; resolves to a `Report`. */
async function examine(options) {
  const report = new Report()
  const target = readSettings(report, options)
  if (!target || target.isEmbedded) return report
  try {
    const [address] = await checkNetwork(report, target)
    if (address && (await checkLogin(report, target, address))) await examineServer(report, target, options)
  } finally {
    await target.close()
  }
  return report
}

async function examineServer(report, target, { features }) {
  const use = new Use(features)
  const { native } = target
  const run = (check, work) => (isSilent(report) ? undefined : step(report, target, check, NEEDS[check], work))

  const text = await run('server', () => native.probe(['INFO']))
  const info = text && parseInfo(text)
  if (info) {
    server.checkVersion(report, text)
    server.checkLoading(report, info)
    await run('topology', () => checkTopology(report, target, info, () => native.probe(['CLUSTER', 'INFO'])))
  }
  await run('keys', (deadline) => checkKeys(report, target, use, deadline))
  if (info) {
    server.checkMemory(report, info)
    checkEviction(report, info, use)
    server.checkPersistence(report, info, use)
    server.checkClients(report, info)
  }
  await run('rights', () => checkRights(report, target, use))
  await run('latency', (deadline) => checkLatency(report, target, deadline))
  await run('clock', () => checkClock(report, target))
}

/** What a check runs, the rule that allows it, and what is unknown without it. */
const NEEDS = {
  server: { command: 'INFO', rule: '+info', unknown: 'what the server is and how full it is' },
  topology: { command: 'CLUSTER INFO', rule: '+cluster|info', unknown: 'which slots are served' },
  keys: { command: 'SCAN', rule: '+scan', unknown: 'which features have keys here' },
  rights: { command: 'ACL', rule: '+acl', unknown: 'what the user may do' },
  latency: { command: 'PING', rule: '+ping', unknown: 'how fast the server replies' },
  clock: { command: 'TIME', rule: '+time', unknown: 'whether the clocks agree' },
}

/** Whether the server has stopped to reply: each further step would take its whole time. */
function isSilent({ findings }) {
  return findings.some(({ code }) => code === 'no-reply')
}

module.exports = { examine }
