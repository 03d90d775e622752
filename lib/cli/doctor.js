'use strict'

// `cinnabar doctor`: reads its options, and writes what was found.

const { version } = require('../../package.json')
const { featureNames } = require('../doctor/features.js')
const { LEVELS } = require('../doctor/report.js')
const { readArguments } = require('./arguments.js')
const { CONNECTION_OPTIONS, readConnection } = require('./connection-options.js')
const { MARKS, painter } = require('./terminal.js')
const { counted } = require('./text.js')
const { UsageError } = require('./usage-error.js')

const OPTIONS = {
  ...CONNECTION_OPTIONS,
  features: { type: 'string' },
  strict: { type: 'boolean' },
  json: { type: 'boolean' },
}

const help = `Usage: cinnabar doctor [url] [options]

Examines a server and the settings for it: address, TLS, password, permissions, memory, cluster, keys and times. It changes
nothing. Without a URL, the settings come from REDIS_URL and the other variables that cinnabar reads.

Options:
  --url <url>          the same as the URL without it
  --features <list>    features that you use, such as sessions,cache; what one of them lacks is an error
                       ${featureNames.join(', ')}
  --timeout <seconds>  how long each step may take; 5 by default
  --ca <file>          PEM file of the authorities to trust, as the option tls.ca
  --cert, --key <file> PEM files of the client's certificate and its key, as the options tls.cert and tls.key
  --strict             a warning counts as an error for the exit code
  --json               one JSON object in place of text

Exit codes: 0 without errors, 1 with at least one, 2 if the command line is wrong.
`

async function run(words) {
  const options = readOptions(words)
  // Loaded here, so that help needs no addon.
  const { examine } = require('../doctor/examine.js')
  const report = await examine(options)
  const code = report.has('error') || (options.strict && report.has('warning')) ? 1 : 0
  return { code, out: options.json ? toJson(report, code) : toText(report, painter(process.stdout)) }
}

function readOptions(words) {
  const { values, positionals } = readArguments(words, OPTIONS)
  if (positionals.length > 1) throw new UsageError('doctor takes one URL')
  const { features, strict = false, json = false } = values
  return {
    ...readConnection(values, positionals[0]),
    features: features === undefined ? undefined : namesIn(features),
    strict,
    json,
  }
}

function namesIn(text) {
  const names = text.split(',').filter(Boolean)
  if (names.length > 0 && names.every((name) => featureNames.includes(name))) return names
  throw new UsageError(`--features takes some of ${featureNames.join(',')}`)
}

function toJson({ target, server, findings, counts }, exitCode) {
  return `${JSON.stringify({ cinnabar: version, target, server, exitCode, counts, findings }, null, 2)}\n`
}

function toText({ target, findings, counts }, paint) {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const lines = findings.map(({ level, check, found, remedy }) => {
    const first = `${paint(level, MARKS[level])} ${check.padEnd(width)}  ${found}\n`
    return remedy ? `${first}${' '.repeat(width + 4)}${paint('dim', '→')} ${remedy}\n` : first
  })
  const summary = LEVELS.filter((level) => level !== 'ok').map((level) => counted(counts[level], level))
  return `cinnabar ${version}, ${target ?? 'no server'}\n\n${lines.join('')}\n${summary.join(', ')}\n`
}

module.exports = { help, run }
