'use strict'

const { describe, hasOption } = require('./options.js')

/**
 * Calls the caller's credentials function, then `answer(username, password, problem)`. Never throws, whatever the function does.
 */
async function askCredentials(provide, answer) {
  let username, password, problem
  try {
    ;({ username, password, problem } = await read(provide))
  } catch (error) {
    problem = `the credentials function failed${nameOf(error)}`
  }
  answer(username, password, problem)
}

async function read(provide) {
  const answer = await provide()
  if (typeof answer !== 'object' || answer === null) return refuse('', answer)
  const [username, password] = ['username', 'password'].map((name) =>
    hasOption(answer, name) ? answer[name] : undefined,
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

module.exports = { askCredentials }
