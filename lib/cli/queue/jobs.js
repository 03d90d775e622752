'use strict'

// Jobs as text and as JSON.

const { duration, printable, shortened, table, toJson } = require('../text.js')

const MOST_REASON = 100
const LEAST_REASON = 24
const MOST_NAME = 24
const HEAD = ['id', 'name', 'state', 'attempts', 'age', 'reason']
const PERSONAL = ['data', 'progress', 'result']
const TIMES = ['createdAt', 'dueAt', 'startedAt', 'finishedAt']

/** The fields of a job; what may be personal only if `data`. */
function fieldsOf(job, data) {
  const { id, name, state, attempt, attempts, crashes, priority, group, timeoutMs } = job
  const { createdAt, dueAt, startedAt, finishedAt } = job
  const own = { id, name, state, attempt, attempts, crashes, priority, group, timeoutMs }
  const error = job.error && { name: job.error.name, message: job.error.message, code: job.error.code }
  const times = { createdAt, dueAt, startedAt, finishedAt }
  if (!data) return { ...own, ...times, error }
  return { ...own, ...times, error: job.error, data: job.data, progress: job.progress, result: job.result }
}

/** One line for each job, below a head; with `data`, each line is followed by what may be personal. */
function listText(jobs, { total, state, offset, data }, paint) {
  const what = state ? `${state} jobs` : 'jobs'
  if (jobs.length === 0) return [total === 0 ? `no ${what}` : `no ${what} behind the first ${offset}`]
  const now = Date.now()
  const rows = jobs.map((job) => {
    const { id, name, attempt, attempts, createdAt } = job
    const age = duration(now - createdAt)
    return [printable(id), printable(name, MOST_NAME), job.state, `${attempt}/${attempts}`, age, reasonOf(job, now)]
  })
  // The reason takes what a terminal has left beside the other columns.
  const before = table(rows.map((row) => [...row.slice(0, -1), '|']))[0].length
  const columns = process.stdout.isTTY ? process.stdout.columns || 80 : Infinity
  const width = Math.min(MOST_REASON, Math.max(LEAST_REASON, columns - before))
  const [head, ...lines] = table([HEAD, ...rows.map((row) => row.with(-1, shortened(row.at(-1), width)))])
  const last = offset + jobs.length
  return [
    paint('dim', head),
    ...lines.flatMap((line, at) => (data ? [line, ...personal(jobs[at])] : [line])),
    ...(last < total ? ['', `${jobs.length} of ${total} ${what}; the next ones by --offset ${last}`] : []),
  ]
}

/** Why a job is dead or waits. */
function reasonOf({ state, error, dueAt, crashes }, now) {
  const failed = error ? printable(`${error.name}: ${error.message}`) : ''
  if (state === 'dead') return failed || (crashes > 0 ? `its worker crashed ${crashes} times` : '')
  if (state !== 'delayed') return ''
  const due = dueAt > now ? `due in ${duration(dueAt - now)}` : 'due'
  return failed ? `${due}, after ${failed}` : due
}

/** All fields of a job, one a line; what may be personal only with `logs`. */
function showText(job, logs) {
  const { error, ...fields } = fieldsOf(job, false)
  const rows = Object.entries(fields)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => [name, TIMES.includes(name) ? new Date(value).toISOString() : printable(value)])
  if (error) rows.push(['error', printable(`${error.name}: ${error.message}`)])
  if (!logs) return [...table(rows), '', 'its data, result and log are shown by --data']
  const stack = job.error?.stack
    ? ['', 'stack', ...job.error.stack.split('\n').map((line) => `  ${printable(line)}`)]
    : []
  return [
    ...table(rows),
    ...stack,
    '',
    ...personal(job),
    `log  ${logs.length === 0 ? 'empty' : ''}`.trim(),
    ...logs.map(logLine),
  ]
}

function logLine(line) {
  return `  ${printable(line)}`
}

function personal(job) {
  return PERSONAL.filter((name) => job[name] !== undefined && job[name] !== null).flatMap((name) => [
    name,
    ...toJson(job[name])
      .split('\n')
      .map((line) => `  ${line}`),
  ])
}

module.exports = { fieldsOf, listText, showText }
