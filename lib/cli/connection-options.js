'use strict'

// The options of all commands that connect to a server.

const { readFileSync } = require('node:fs')

const { UsageError } = require('./usage-error.js')
const { milliseconds } = require('./values.js')

const CONNECTION_OPTIONS = {
  url: { type: 'string' },
  timeout: { type: 'string' },
  ca: { type: 'string' },
  cert: { type: 'string' },
  key: { type: 'string' },
}

/** Their lines of a help text, for commands in which the timeout is that of a call. */
const CONNECTION_HELP = `  --url <url>          the server; without it, from REDIS_URL and the other variables that cinnabar reads
  --timeout <seconds>  how long each call may take; 5 by default
  --ca <file>          PEM file of the authorities to trust, as the option tls.ca
  --cert, --key <file> PEM files of the client's certificate and its key, as the options tls.cert and tls.key
  --json               one JSON object in place of text
`

/** What these options say: `{ url, tls, timeoutMs }`. `word` is a URL that was given without the name of its option. */
function readConnection({ url, timeout = '5', ca, cert, key }, word) {
  if (url !== undefined && word !== undefined) throw new UsageError('the URL is given twice')
  return { url: url ?? word, tls: readFiles({ ca, cert, key }), timeoutMs: milliseconds(timeout, 'timeout') }
}

function readFiles(files) {
  const read = Object.entries(files)
    .filter(([, path]) => path !== undefined)
    .map(([name, path]) => {
      try {
        return [name, readFileSync(path, 'utf8')]
      } catch (error) {
        throw new UsageError(`the file of --${name} cannot be read (${error.code})`)
      }
    })
  return read.length > 0 ? Object.fromEntries(read) : undefined
}

// Ids of jobs may be URLs too, so only those of servers are refused.
const SERVER_URL = /^(unix:|(redis|valkey)[a-z+-]*:\/\/)/i

/** Throws if a word is the URL of a server: it would be taken for a name, an id or a pattern. */
function refuseUrls(words) {
  if (words.some((word) => SERVER_URL.test(word))) throw new UsageError('the URL of the server goes behind --url')
}

module.exports = { CONNECTION_HELP, CONNECTION_OPTIONS, readConnection, refuseUrls }
