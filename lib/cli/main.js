'use strict'

// The command line: finds the command, and ends the process with its exit code.

const { version } = require('../../package.json')
const { commands } = require('./commands.js')
const { UsageError } = require('./usage-error.js')

const USAGE = 2

/** Runs a command line, without the names of the program. Never rejects. */
async function main(words) {
  let exit
  try {
    exit = await run(words)
  } catch (error) {
    exit = failure(error, words)
  }
  end(exit)
}

/** What a command line results in: `{ code, out, err }`. */
async function run([name, ...words]) {
  if (name === undefined) return { code: USAGE, err: help() }
  if (name === '--help' || name === '-h' || name === 'help') return { code: 0, out: help() }
  if (name === '--version' || name === '-v') return { code: 0, out: `${version}\n` }
  if (!commands.has(name)) throw new UsageError(`there is no such command; the commands are ${list()}`)
  const command = commands.get(name).load()
  if (words.includes('--help') || words.includes('-h')) return { code: 0, out: command.help }
  return command.run(words)
}

function help() {
  const lines = [...commands].map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}\n`)
  return `Usage: cinnabar <command> [options]

Commands:
${lines.join('')}
  cinnabar <command> --help   the options of a command
  cinnabar --version          the version of this package
`
}

function list() {
  return [...commands.keys()].join(', ')
}

// What the caller wrote is never repeated: it may be a URL with a password.
function failure(error, [name]) {
  if (error instanceof UsageError) {
    const more = commands.has(name) ? `cinnabar ${name} --help` : 'cinnabar --help'
    return { code: USAGE, err: `cinnabar: ${error.message}\nSee ${more}\n` }
  }
  return { code: 1, err: `cinnabar: ${error?.message ?? 'it failed'}\n` }
}

// A name that is still being resolved would keep the process alive, so it is ended once all is written.
function end({ code, out = '', err = '' }) {
  process.exitCode = code
  // A reader such as `head` may close the pipe early.
  process.stdout.on('error', () => process.exit(code))
  process.stderr.write(err, () => process.stdout.write(out, () => process.exit(code)))
}

module.exports = { main }
