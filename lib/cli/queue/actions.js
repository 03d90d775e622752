'use strict'

// The actions of `cinnabar queue`, each over a `JobQueue`.

const { canConfirm, confirm } = require('../confirm.js')
const { Failure } = require('../failure.js')
const { counted, printable } = require('../text.js')
const { fieldsOf, listText, showText } = require('./jobs.js')

/** In the order in which a list without a state shows them. */
const STATES = ['active', 'ready', 'delayed', 'dead', 'done']
const PER_LIST = 20
const MOST_LINES = 1000
// A call has a deadline, so many jobs are started again by several.
const PER_REDRIVE = 1000

/**
 * The actions by name: `{ takesId, options, most, asks, run }`, where `asks(options)` says whether it asks before it changes something,
 * and `run(queue, options)` resolves to `{ value, text }`: the fields of the JSON object, and a function that returns lines.
 */
const actions = new Map(
  Object.entries({
    counts: { options: [], run: counts },
    list: { options: ['state', 'limit', 'offset', 'data'], run: list },
    show: { takesId: true, options: ['data'], run: show },
    retry: { takesId: true, options: [], run: retry },
    redrive: {
      options: ['limit', 'yes'],
      most: Number.MAX_SAFE_INTEGER,
      asks: ({ limit }) => limit === undefined,
      run: redrive,
    },
    remove: { takesId: true, options: ['yes'], asks: () => true, run: remove },
    drain: { options: ['delayed', 'yes'], asks: () => true, run: drain },
    pause: { options: [], run: pause },
    resume: { options: [], run: resume },
  }).map(([name, action]) => [name, { ...action, canAsk: canConfirm }]),
)

async function counts(queue, { where }) {
  const { ready, delayed, active, done, dead, paused } = await queue.counts()
  const all = { ready, delayed, active, done, dead }
  const width = Math.max(...Object.values(all).map((count) => String(count).length))
  const row = ([state, count]) => `${state.padEnd(7)}  ${String(count).padStart(width)}`
  return {
    value: { counts: all, paused },
    text: (paint) => [
      `queue ${printable(queue.name, 60)} at ${where}`,
      '',
      ...Object.entries(all).map(row),
      ...(paused ? ['', paint('warning', 'paused: no worker takes a job until resume')] : []),
    ],
  }
}

async function list(queue, { state, limit = PER_LIST, offset, data }) {
  const counts = await queue.counts()
  const states = state ? [state] : STATES
  const jobs = []
  let skip = offset
  for (const each of states) {
    if (jobs.length >= limit) break
    if (skip < counts[each]) jobs.push(...(await queue.list(each, { offset: skip, limit: limit - jobs.length })))
    skip = Math.max(0, skip - counts[each])
  }
  const total = states.reduce((sum, each) => sum + counts[each], 0)
  return {
    value: { total, jobs: jobs.map((job) => fieldsOf(job, data)) },
    text: (paint) => listText(jobs, { total, state, offset, data }, paint),
  }
}

async function show(queue, { id, data }) {
  const job = await queue.get(id)
  if (!job) throw noSuchJob()
  const logs = data ? await queue.logs(id, { limit: MOST_LINES }) : undefined
  return {
    value: { job: fieldsOf(job, data), ...(logs && { logs }) },
    text: () => showText(job, logs),
  }
}

async function retry(queue, { id }) {
  if (!(await queue.retry(id))) throw notRetried(await queue.get(id))
  return { value: { action: 'retry', count: 1 }, text: () => ['1 job starts again'] }
}

function notRetried(job) {
  if (!job) return noSuchJob()
  if (job.state === 'dead')
    return new Failure('another job with its deduplication id has not finished; retry this one once that has')
  return new Failure(`the job is ${job.state}; only dead and delayed ones can be retried`)
}

async function redrive(queue, options) {
  const { dead } = await queue.counts()
  let left = Math.min(options.limit ?? dead, dead)
  if (options.limit === undefined && left > 0)
    await ask(queue, options, `This starts ${counted(left, 'dead job')} of the queue again`)
  let count = 0
  // Those that die again meanwhile are not started twice: no more are than were dead.
  while (left > 0) {
    const started = await queue.redrive({ limit: Math.min(left, PER_REDRIVE) }).catch((error) => rethrow(error, count))
    if (started === 0) break
    count += started
    left -= started
  }
  return { value: { action: 'redrive', count }, text: () => [`${counted(count, 'dead job')} started again`] }
}

// What the calls before have done counts too.
function rethrow(error, count) {
  throw Object.assign(error, { done: count + (error.done ?? 0) })
}

async function remove(queue, options) {
  const job = await queue.get(options.id)
  if (!job) throw noSuchJob()
  await ask(queue, options, `This removes a job that is ${job.state} from the queue`)
  if (!(await queue.remove(options.id))) throw noSuchJob()
  return { value: { action: 'remove', count: 1 }, text: () => ['1 job removed'] }
}

async function drain(queue, options) {
  const { ready, delayed } = await queue.counts()
  const found = options.delayed ? `${ready} ready and ${counted(delayed, 'delayed job')}` : counted(ready, 'ready job')
  if (ready + (options.delayed ? delayed : 0) > 0) await ask(queue, options, `This removes ${found} from the queue`)
  const count = await queue.drain({ delayed: options.delayed })
  return { value: { action: 'drain', count }, text: () => [`${counted(count, 'job')} removed`] }
}

async function pause(queue) {
  await queue.pause()
  return { value: { action: 'pause', paused: true }, text: () => ['paused: no worker takes a job until resume'] }
}

async function resume(queue) {
  await queue.resume()
  return { value: { action: 'resume', paused: false }, text: () => ['resumed: workers take jobs'] }
}

async function ask({ name }, { yes, where }, what) {
  if (!yes) await confirm(`${what} ${printable(name, 60)} at ${where}. Type the name of the queue to go on:`, name)
}

function noSuchJob() {
  return new Failure('the queue has no job with this id; cinnabar queue <name> list shows those that it has')
}

module.exports = { STATES, actions }
