'use strict'

const { createInterface } = require('node:readline')

const { Failure } = require('./failure.js')

/** Whether there is a person who can confirm. */
function canConfirm() {
  return Boolean(process.stdin.isTTY && process.stderr.isTTY)
}

/** Shows `question` and resolves once `name` was typed. Rejects if another line was, or none. */
async function confirm(question, name) {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  const typed = await new Promise((resolve) => {
    lines.once('close', () => resolve(undefined))
    lines.question(`${question} `, resolve)
  })
  lines.removeAllListeners('close')
  lines.close()
  if (typed === undefined) process.stderr.write('\n')
  if (typed?.trim() !== name.trim())
    throw new Failure('the name of the queue was not typed, so nothing was changed; to skip the question, give --yes')
}

module.exports = { canConfirm, confirm }
