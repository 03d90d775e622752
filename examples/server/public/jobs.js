// The job card: each job with its progress, as its worker reports it.
import { api } from './api.js'
import { byId, make, onClick, say, sayError } from './dom.js'
import { onLive } from './live.js'

const SHOWN = 4
const WORDS = {
  ready: ['waiting', 'plain'],
  delayed: ['failed, tried again soon', 'warn'],
  active: ['running', 'warn'],
  done: ['done', 'good'],
  dead: ['failed', 'bad'],
}
// What an event changes. After any other one, the list is loaded again.
const CHANGES = {
  active: ({ attempt }) => ({ state: 'active', attempt, progress: 0, error: undefined }),
  progress: ({ progress }) => ({ state: 'active', progress }),
  completed: ({ attempt, result }) => ({ state: 'done', attempt, result, progress: 1 }),
  retrying: ({ attempt, error }) => ({ state: 'delayed', attempt, error }),
  dead: ({ attempt, error }) => ({ state: 'dead', attempt, error }),
}

const jobs = new Map()
let asking = false
let again = false
// The elements of each job: only changed ones are updated, so that a screen reader reads a state once.
const rows = new Map()

const add = (failsOnce) => async () => {
  const { body } = await api('POST', '/api/jobs', { failsOnce })
  show(body)
  say('jobs-outcome', 'Added. Any server with an idle worker runs it.', 'good')
}

onClick('jobs-add', 'jobs-outcome', add(false))
onClick('jobs-add-failing', 'jobs-outcome', add(true))

onLive('ready', refresh)
onLive('job', ({ type, id, partial, ...details }) => {
  const job = jobs.get(id)
  if (!job || partial || !CHANGES[type]) return refresh()
  Object.assign(job, CHANGES[type](details))
  // A pending response may be older.
  if (type !== 'progress') again = asking
  draw()
})

async function refresh() {
  again = asking
  if (asking) return
  asking = true
  try {
    do {
      again = false
      show((await api('GET', '/api/jobs')).body)
    } while (again)
  } catch (error) {
    sayError('jobs-outcome', error)
  } finally {
    asking = false
  }
}

function show(state) {
  jobs.clear()
  for (const job of state.jobs.slice(0, SHOWN)) jobs.set(job.id, job)
  draw()
}

function draw() {
  for (const [id, { item }] of rows) {
    if (jobs.has(id)) continue
    item.remove()
    rows.delete(id)
  }
  const newest = [...jobs.values()].sort((a, b) => b.createdAt - a.createdAt)
  newest.forEach((job, index) => {
    if (!rows.has(job.id)) rows.set(job.id, row(job))
    const { item, bar, badge, note } = rows.get(job.id)
    const list = byId('jobs-list')
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null)
    bar.value = job.progress
    const [words, kind] = WORDS[job.state]
    if (badge.textContent !== words) badge.textContent = words
    badge.dataset.kind = kind
    item.dataset.state = job.state
    const said = describe(job)
    if (note.textContent !== said) note.textContent = said
  })
}

function row({ id, by }) {
  const item = make('li', '', { 'data-id': id })
  const head = make('p')
  const badge = make('span', '', { class: 'badge' })
  head.append(make('strong', `Report for ${by}`), badge)
  const bar = make('progress', '', { max: 1, value: 0, 'aria-label': `Progress of the report for ${by}` })
  const note = make('p', '', { class: 'note' })
  item.append(head, bar, note)
  return { item, bar, badge, note }
}

function describe({ state, attempt, attempts, result, error }) {
  if (state === 'ready') return 'No worker has it yet.'
  if (state === 'done') return `${result?.pages} pages, in attempt ${attempt}.`
  if (error) return `Attempt ${attempt} of ${attempts}: ${error}`
  return `Attempt ${attempt} of ${attempts}.`
}
