'use strict'

// Connects to a server as the product does, and says why if that fails, as `cinnabar doctor` does.

const { checkLogin } = require('../doctor/login.js')
const { checkNetwork } = require('../doctor/network.js')
const { Report } = require('../doctor/report.js')
const { readSettings } = require('../doctor/settings.js')
const { Failure, explained } = require('./failure.js')

/**
 * Runs `work(target)` while connected, and returns its result. `options` are those of `readConnection`. Rejects with a `Failure` if no
 * server is configured, it cannot be reached, or a call fails.
 */
async function withServer(options, work) {
  const report = new Report()
  const target = readSettings(report, options)
  for (const { found } of report.findings.filter(({ code }) => code === 'settings-ignored')) {
    process.stderr.write(`cinnabar: ${found}\n`)
  }
  if (!target) throw failureOf(report)
  if (target.isEmbedded) throw embedded(target)
  try {
    const [address] = await checkNetwork(report, target)
    if (!address || !(await checkLogin(report, target, address))) throw failureOf(report)
    return await work(target)
  } catch (error) {
    throw explained(error)
  } finally {
    await target.close()
  }
}

function failureOf({ findings }) {
  const { found, remedy } = findings.find(({ level }) => level === 'error')
  return new Failure(`${found}; ${remedy}`)
}

function embedded({ native }) {
  const found = native.byDefault
    ? 'no server is configured, so data is in the memory of each process'
    : 'memory: is the memory of each process'
  return new Failure(`${found}, which another one cannot read; set REDIS_URL, or give a URL by --url`)
}

module.exports = { withServer }
