'use strict'

const { CinnabarError, isUnavailable } = require('../error.js')
const { UsageError } = require('./usage-error.js')

/** Something that did not succeed. The message is one line: what was found, and what to do. */
class Failure extends Error {}

/** The error of the command line for an error of a call. */
function explained(error) {
  if (!(error instanceof CinnabarError)) return error
  const message = error.message.replaceAll(/\s+/g, ' ')
  // Names, prefixes and numbers that the product does not accept were written by the caller.
  if (error.code === 'E_INVALID_ARGUMENT' || error.code === 'E_INVALID_SETTINGS') return new UsageError(message)
  return new Failure(`${message}; ${remedyOf(error)}`)
}

function remedyOf(error) {
  if (error.serverCode === 'NOPERM') return 'let the user run it: docs/access.md lists what each feature needs'
  if (error.code === 'E_MAYBE_APPLIED' || error.done > 0) {
    const done = error.done > 0 ? `${error.done} are done for certain, ` : ''
    return `${done}the rest may be: run it again, with more time by --timeout`
  }
  if (isUnavailable(error)) return 'give more time by --timeout, or see what npx cinnabar doctor finds'
  return 'see what npx cinnabar doctor finds'
}

module.exports = { Failure, explained }
