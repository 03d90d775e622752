'use strict'

// Connects as the product does: TLS, user name and password, database, slot map and sentinels.

const { setTimeout: delay } = require('node:timers/promises')

const { Deadline } = require('../health/deadline.js')
const { explain } = require('./login-errors.js')
const { mismatch } = require('./spoken.js')

// A server that expects the other kind of bytes may just wait for more, so the port is examined while the login is pending.
const PENDING_MS = 500

/** Whether the product can connect. If not, the reason is a finding. `address` is one that accepts connections. */
async function checkLogin(report, target, address) {
  const reason = await failureOf(target, address)
  if (reason) report.error(...reason)
  else report.ok('login', target.encrypted ? 'connected with TLS and logged in' : 'connected and logged in')
  return reason === null
}

/** The arguments of a finding; null if the product can connect. */
async function failureOf(target, address) {
  let isPending = true
  const settled = (result) => {
    isPending = false
    return result
  }
  const connecting = new Deadline(target.timeoutMs)
    .race(target.service.connect())
    .then(
      () => null,
      (error) => error,
    )
    .then(settled)
  const examined = async () => (isPending ? await mismatch(target, address) : undefined)
  const beside = delay(PENDING_MS).then(async () => (await examined()) ?? connecting)
  const first = await Promise.race([connecting, beside])
  return first instanceof Error ? explain(first, target, () => mismatch(target, address)) : first
}

module.exports = { checkLogin }
