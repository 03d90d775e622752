'use strict'

// `cinnabar queue`: reads its options, asks before it removes something, and writes what was found or done.

const { readArguments } = require('./arguments.js')
const { CONNECTION_HELP, CONNECTION_OPTIONS, readConnection, refuseUrls } = require('./connection-options.js')
const { STATES, actions } = require('./queue/actions.js')
const { painter } = require('./terminal.js')
const { toJson } = require('./text.js')
const { UsageError } = require('./usage-error.js')
const { oneOf, wholeNumber } = require('./values.js')

// The product lists no more at once.
const MOST = 1000

/** Of the actions: which of them takes an option is in the table of actions. */
const OWN_OPTIONS = {
  state: { type: 'string' },
  limit: { type: 'string' },
  offset: { type: 'string' },
  data: { type: 'boolean' },
  delayed: { type: 'boolean' },
  yes: { type: 'boolean' },
}
const OPTIONS = { ...OWN_OPTIONS, prefix: { type: 'string' }, ...CONNECTION_OPTIONS, json: { type: 'boolean' } }

const help = `Usage: cinnabar queue <name> [action] [id] [options]

Shows the jobs of a queue, and changes them.

Actions:
  counts               how many jobs are in each state; without an action, this one
  list                 jobs, one a line
  show <id>            one job
  retry <id>           starts a dead job again with all its attempts, or a delayed one at once
  redrive              starts all dead jobs again, or the oldest by --limit
  remove <id>          removes a job in any state
  drain                removes all ready jobs
  pause                no worker takes a job; running ones continue
  resume               workers take jobs again

Options:
  --state <state>      list: jobs in this state, of ${STATES.join(', ')}; without it, in all
  --limit <number>     list: at most so many, 20 by default and up to 1000; redrive: at most so many
  --offset <number>    list: skip so many
  --data               show, list: also data, progress and result; show: also the log. They may be personal
  --delayed            drain: also jobs that are delayed
  --yes                drain, remove, redrive of all: without a question. Needed where there is no terminal
  --prefix <prefix>    the prefix of the queue's keys, if the application has set one
${CONNECTION_HELP}
Exit codes: 0 if it was done, 1 if the server cannot be reached, there is no such job or a call failed, 2 if the command line is wrong.
`

async function run(words) {
  const options = readOptions(words)
  // Loaded here, so that help needs no addon.
  const { withServer } = require('./server.js')
  const { JobQueue } = require('../queue.js')
  return withServer(options.connection, async (target) => {
    const { service, timeoutMs, words: where } = target
    const { name, action, prefix, json } = options
    const queue = new JobQueue(name, { service, ...(prefix !== undefined && { prefix }) }).with({ timeoutMs })
    const { value, text } = await action.run(queue, { ...options, where })
    if (json) return { code: 0, out: `${toJson({ queue: name, target: where, ...value })}\n` }
    return { code: 0, out: `${text(painter(process.stdout)).join('\n')}\n` }
  })
}

function readOptions(words) {
  const { values, positionals } = readArguments(words, OPTIONS)
  refuseUrls(positionals)
  const [name, verb = 'counts', ...ids] = positionals
  if (!name) throw new UsageError('queue takes the name of a queue')
  if (!actions.has(verb))
    throw new UsageError(`there is no such action; the actions are ${[...actions.keys()].join(', ')}`)
  const action = actions.get(verb)
  if (ids.length !== (action.takesId ? 1 : 0))
    throw new UsageError(action.takesId ? `${verb} takes the id of a job` : `${verb} takes no id`)
  const own = readOwn(values, verb, action)
  if (action.asks?.(own) && !own.yes && !action.canAsk())
    throw new UsageError(`${verb} asks for the name of the queue where there is a terminal; elsewhere give --yes`)
  return {
    ...own,
    connection: readConnection(values),
    name,
    verb,
    action,
    id: ids[0],
    prefix: values.prefix,
    json: values.json,
  }
}

function readOwn(values, verb, action) {
  const extra = Object.keys(OWN_OPTIONS).find((option) => option in values && !action.options.includes(option))
  if (extra) throw new UsageError(`${verb} takes no --${extra}`)
  const { state, limit, offset, data = false, delayed = false, yes = false } = values
  return {
    state: state === undefined ? undefined : oneOf(state, 'state', STATES),
    limit: limit === undefined ? undefined : wholeNumber(limit, 'limit', 1, action.most ?? MOST),
    offset: offset === undefined ? 0 : wholeNumber(offset, 'offset', 0, Number.MAX_SAFE_INTEGER),
    data,
    delayed,
    yes,
  }
}

module.exports = { help, run }
