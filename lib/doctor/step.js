'use strict'

// One step of an examination, within a deadline of its own.

const { isUnavailable } = require('../error.js')
const { Deadline } = require('../health/deadline.js')
const { messageOf } = require('../health/status.js')

/**
 * Runs `work(deadline)` and returns its result. If it fails, that is a finding of this check, and the result is undefined. `command` is
 * what the user must be allowed to run for it, `rule` how an ACL says that, and `unknown` what stays unknown otherwise.
 */
async function step(report, target, check, about, work) {
  const deadline = new Deadline(target.timeoutMs)
  try {
    return await deadline.race(work(deadline))
  } catch (error) {
    explain(report, target, check, about, error)
  }
}

function explain(report, { timeoutMs }, check, { command, rule, unknown }, error) {
  if (error.serverCode === 'NOPERM') {
    const found = `the user may not run ${command}, so it is unknown ${unknown}`
    report.note(check, 'not-allowed', found, `allow it by ${rule} if you want to know`)
  } else if (isSilence(error)) {
    const time = error.code === 'E_TIMEOUT' ? `within ${timeoutMs / 1000} s` : `(${messageOf(error)})`
    const found = `no reply to ${command} ${time}, so it is unknown ${unknown}`
    const remedy = 'find out what keeps the server busy (SLOWLOG GET), or give more time by --timeout'
    report.error(check, 'no-reply', found, remedy)
  } else {
    const found = `it is unknown ${unknown}, since ${command} failed: ${messageOf(error)}`
    report.warning(check, 'failed', found, 'see whether the server supports the command, and what its log says')
  }
}

/** Whether there was no reply, or no connection any more. The driver may notice that before the deadline. */
function isSilence(error) {
  return isUnavailable(error) && error.serverCode === undefined
}

module.exports = { step }
