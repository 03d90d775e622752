'use strict'

const { describe, hasOption } = require('./options.js')

/**
 * Calls the caller's credentials function, then `respond(username, password, problem)`. Never throws, whatever the function does.
 */
async function readCredentials(provide, respond) {
  let username, password, problem
  try {
    ;({ username, password, problem } = await read(provide))
  } catch (error) {
    problem = `the credentials function failed${nameOf(error)}`
  }
  respond(username, password, problem)
}

async function read(provide) {
  const result = await provide()
  if (typeof result !== 'object' || result === null) return refuse('', result)
  const [username, password] = ['username', 'password'].map((name) =>
    hasOption(result, name) ? result[name] : undefined,
  )
  if (username !== undefined && username !== null && !isText(username)) return refuse(' as username', username)
  if (!isText(password)) return refuse(' as password', password)
  return { username, password }
}

function isText(value) {
  return typeof value === 'string' && value !== ''
}

function refuse(where, value) {
  const got = value === '' ? 'an empty string' : describe(value)
  return {
    problem: `the credentials function must return { username?, password }, but returned ${got}${where}`,
  }
}

// The error's message may quote the secret, so only its name and code are reported.
function nameOf(error) {
  try {
    const words = [error.name, error.code].filter(
      (word) => typeof word === 'string' && /^[A-Za-z][\w-]{0,40}$/.test(word),
    )
    return words.length > 0 ? ` with ${words.join(' ')}` : ''
  } catch {
    return ''
  }
}

module.exports = { readCredentials }
