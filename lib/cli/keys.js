'use strict'

// `cinnabar keys`: reads its options, and writes how many keys there are by prefix.

const { readArguments } = require('./arguments.js')
const { CONNECTION_HELP, CONNECTION_OPTIONS, readConnection, refuseUrls } = require('./connection-options.js')
const { painter } = require('./terminal.js')
const { toJson } = require('./text.js')
const { UsageError } = require('./usage-error.js')
const { wholeNumber } = require('./values.js')

const OPTIONS = {
  limit: { type: 'string' },
  prefix: { type: 'string', multiple: true },
  names: { type: 'boolean' },
  ...CONNECTION_OPTIONS,
  json: { type: 'boolean' },
}
const LIMIT = '100000'
const MOST = 1_000_000_000

const help = `Usage: cinnabar keys [pattern] [options]

Counts keys by what they begin with: how many there are, how many have no ttl, the shortest and the longest ttl, and the memory that they
take, from a sample. It changes nothing. With a pattern, as SCAN takes it, only keys that match.

Options:
  --limit <number>     read at most so many keys; ${LIMIT} by default
  --prefix <prefix>    a prefix that the application has set for a feature; may be given several times
  --names              the names of the keys too, with their ttls in ms. Names may be secrets: those of sessions are shortened
${CONNECTION_HELP}
Exit codes: 0 if keys were counted, 1 if the server cannot be reached or a call failed, 2 if the command line is wrong.
`

async function run(words) {
  const options = readOptions(words)
  // Loaded here, so that help needs no addon.
  const { withServer } = require('./server.js')
  const { countKeys } = require('./keys/count.js')
  const { asJson, asText } = require('./keys/describe.js')
  return withServer(options.connection, async (target) => {
    const found = await countKeys(target, options)
    if (options.json) return { code: 0, out: `${toJson({ target: target.words, ...asJson(found) })}\n` }
    return { code: 0, out: asText(found, target.words, painter(process.stdout)) }
  })
}

function readOptions(words) {
  const { values, positionals } = readArguments(words, OPTIONS)
  refuseUrls(positionals)
  if (positionals.length > 1)
    throw new UsageError('keys takes one pattern; quote it, so that the shell does not replace it')
  const { limit = LIMIT, prefix = [], names = false, json = false } = values
  if (prefix.includes('')) throw new UsageError('--prefix must not be empty')
  return {
    connection: readConnection(values),
    pattern: positionals[0],
    limit: wholeNumber(limit, 'limit', 1, MOST),
    prefixes: prefix,
    names,
    json,
  }
}

module.exports = { help, run }
