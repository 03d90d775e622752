'use strict'

// `cinnabar top`: reads its options, and shows what a server does now, once or until it is ended.

const { readArguments } = require('./arguments.js')
const { CONNECTION_HELP, CONNECTION_OPTIONS, readConnection } = require('./connection-options.js')
const { isDumb, painter } = require('./terminal.js')
const { toJson } = require('./text.js')
const { UsageError } = require('./usage-error.js')
const { milliseconds } = require('./values.js')

const LEAST_MS = 100
const OPTIONS = {
  interval: { type: 'string' },
  once: { type: 'boolean' },
  queue: { type: 'string', multiple: true },
  prefix: { type: 'string' },
  ...CONNECTION_OPTIONS,
  json: { type: 'boolean' },
}

const help = `Usage: cinnabar top [url] [options]

Shows what a server does now: clients, memory, calls, how fast it replies, which commands it runs and which of them are slow. On a
terminal, until q or Ctrl-C; elsewhere once. It changes nothing. In a cluster, the server is one of the primaries.

Options:
  --interval <seconds> how often, and over which time; 1 by default
  --once               once, over one interval
  --queue <name>       the jobs of a queue too; may be given several times
  --prefix <prefix>    the prefix of the keys of these queues, if the application has set one
${CONNECTION_HELP}
Exit codes: 0 if it was ended or has shown what it should, 1 if the server cannot be reached or a call failed, 2 if the command line is
wrong.
`

async function run(words) {
  const options = readOptions(words)
  // Loaded here, so that help needs no addon.
  const { withServer } = require('./server.js')
  const { JobQueue } = require('../queue.js')
  const { linesOf } = require('./top/draw.js')
  const { Source } = require('./top/source.js')
  const { observe, watch } = require('./top/watch.js')
  return withServer(options.connection, async (target) => {
    const { interval, json, once, prefix } = options
    const { service, timeoutMs } = target
    const more = { service, ...(prefix !== undefined && { prefix }) }
    const queues = options.queues.map((name) => new JobQueue(name, more).with({ timeoutMs }))
    const source = new Source(target, queues)
    if (!json && !once && process.stdout.isTTY && !isDumb()) return { code: await watch(source, interval) }
    const view = await observe(source, interval)
    if (json) return { code: 0, out: `${toJson(view)}\n` }
    return { code: 0, out: `${linesOf(view, painter(process.stdout)).join('\n')}\n` }
  })
}

function readOptions(words) {
  const { values, positionals } = readArguments(words, OPTIONS)
  if (positionals.length > 1) throw new UsageError('top takes one URL')
  const { interval = '1', once = false, queue = [], prefix, json = false } = values
  const ms = milliseconds(interval, 'interval')
  if (ms < LEAST_MS) throw new UsageError(`--interval must be at least ${LEAST_MS / 1000}`)
  return { connection: readConnection(values, positionals[0]), interval: ms, once, queues: queue, prefix, json }
}

module.exports = { help, run }
