'use strict'

// Whether the user may run a command: `allowed`; `command`, `key` or `channel` for what is refused; `absent` if the server does not
// know the command; or `unknown`.

const { isUnavailable } = require('../error.js')

const MOST_AT_ONCE = 100

// As the product does before it starts a script. Lua has no pcall around it: a command that the server does not know is an error.
const SCRIPT = 'return redis.acl_check_cmd(unpack(ARGV)) and 1 or 0'

/** The ways to ask, the best first. The first that the server supports and the user may use is used for all questions. */
async function permissions(native, questions) {
  for (const ask of [await byScript(native), await byDryRun(native)]) {
    if (ask) return explained(native, questions, await inPortions(questions, ask))
  }
  return inPortions(questions, (question) => byExecution(native, question))
}

async function byScript(native) {
  const ask = async (words) => Number(await native.probe(['EVAL', SCRIPT, '0', ...words])) === 1
  try {
    // That this is allowed was just seen, so anything else shows that the server cannot be asked.
    if (!(await ask(['EVAL', 'return 1', '0']))) return undefined
  } catch {
    return undefined
  }
  return async ({ words }) => ((await ask(words)) ? 'allowed' : 'refused')
}

async function byDryRun(native) {
  let user
  try {
    user = await native.probe(['ACL', 'WHOAMI'])
    await native.probe(['ACL', 'DRYRUN', user, 'PING'])
  } catch {
    return undefined
  }
  return async ({ words }) => {
    const reply = await native.probe(['ACL', 'DRYRUN', user, ...words])
    return reply === 'OK' ? 'allowed' : refusalOf(reply)
  }
}

async function byExecution(native, { words, harmless }) {
  if (!harmless) return 'unknown'
  try {
    await native.probe(words)
  } catch (error) {
    if (isUnavailable(error)) throw error
    if (error.serverCode === 'NOPERM') return refusalOf(error.message)
    if (/unknown command/i.test(error.message)) return 'absent'
  }
  // Any other error shows that the server has begun to run it.
  return 'allowed'
}

/** What the words of a server say is refused. */
function refusalOf(text) {
  if (/\bchannels?\b/i.test(text)) return 'channel'
  return /\bkeys?\b/i.test(text) ? 'key' : 'command'
}

// A script only says yes or no, but a refusal in earnest says what is refused.
async function explained(native, questions, states) {
  const refused = questions.filter((_, at) => states[at] === 'refused')
  const reasons = await inPortions(refused, (question) => byExecution(native, question))
  const byQuestion = new Map(refused.map((question, at) => [question, reasons[at]]))
  const keys = new Set(refused.filter((question) => byQuestion.get(question) === 'key').map(({ subject }) => subject))
  return questions.map((question, at) => {
    if (states[at] !== 'refused') return states[at]
    const reason = byQuestion.get(question)
    if (['command', 'key', 'channel'].includes(reason)) return reason
    if (question.command === 'publish' || question.command === 'subscribe') return 'channel'
    return keys.has(question.subject) ? 'key' : 'command'
  })
}

async function inPortions(questions, ask) {
  const states = []
  for (let at = 0; at < questions.length; at += MOST_AT_ONCE) {
    const portion = questions.slice(at, at + MOST_AT_ONCE)
    const settled = await Promise.allSettled(portion.map(ask))
    states.push(...settled.map(({ value, reason }) => value ?? failed(reason)))
  }
  return states
}

function failed(error) {
  if (isUnavailable(error)) throw error
  return 'absent'
}

module.exports = { permissions }
