'use strict'

// Turns an error of the product's login into a finding.

const { messageOf } = require('../health/status.js')
const { BY_SERVER_CODE, BY_WORDS, CERTIFICATES } = require('./login-reasons.js')

/** The arguments of a finding for this error. `examinePort()` resolves to one if the port expects TLS and the settings do not, or the reverse. */
async function explain(error, target, examinePort) {
  const words = wordsOf(error)
  const row = BY_WORDS.find(([pattern]) => pattern.test(words))
  if (row) return withDetail(row.slice(1), target)
  const known = BY_SERVER_CODE[error.serverCode] ?? certificate(words)
  if (known) return known
  const mixedUp = error.serverCode === undefined ? await examinePort() : undefined
  return mixedUp ?? silent(error, words, target) ?? other(error, words)
}

// The beginning names the address, which the head of the report does too.
function wordsOf(error) {
  return messageOf(error).replace(/^cannot connect to \S+: /, '')
}

function withDetail([check, code, found, remedy], { database, primaryName }) {
  const detail = { database, 'primary-unknown': primaryName }[code]
  return [check, code, detail === undefined ? found : `${found}: ${detail}`, remedy]
}

// The product's words have what was found and then what to do.
function certificate(words) {
  const row = CERTIFICATES.find(([pattern]) => pattern.test(words))
  if (!row) return undefined
  const [found, ...remedy] = words.split('; ')
  return ['tls', row[1], found, `${remedy.join('; ')}; the CA of this examination is set by --ca`]
}

function silent({ code }, words, { timeoutMs }) {
  if (code !== 'E_TIMEOUT' && !/reply within|in time$/.test(words)) return undefined
  const time = code === 'E_TIMEOUT' ? `within ${timeoutMs / 1000} s` : 'in time'
  const remedy = 'restart the server if it hangs, check that the port is that of Redis, or give more time by --timeout'
  return ['login', 'no-reply', `the server accepts connections, but did not reply ${time}`, remedy]
}

function other({ code }, words) {
  const remedy = code === 'E_AUTH' ? 'see which users the server has (ACL LIST)' : 'see the log of the server'
  return ['login', code === 'E_AUTH' ? 'refused' : 'cannot-connect', words, remedy]
}

module.exports = { explain }
