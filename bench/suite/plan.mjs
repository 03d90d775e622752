/** What is measured: groups of cells. A group is one workload on one kind of value, its contenders side by side. */
import { workloads } from '../workloads/all.mjs'

const KB = 1024
const SIZES = [400, 4 * KB, 32 * KB, 200 * KB]
const INFLIGHT = [1, 64, 512]

/** Milliseconds per run. What a target is set on runs longest; a full bench stays under 15 minutes. */
const FULL_MS = {
  get: { 400: 900, [32 * KB]: 900, other: 450 },
  set: 320,
  limit: 700,
  session: 700,
  lock: 500,
  'lock-handover': 2000,
  add: 700,
  latency: 1000,
  messages: 700,
}
const QUICK_MS = 100

/** Jobs of a batch, which takes as long as it takes. */
const JOBS = 10_000
const QUICK_JOBS = 2000

export function makePlan(options) {
  const names = options.only ?? Object.keys(workloads)
  return names.flatMap((name) => cellsOf(name, options).map((cell) => makeGroup(workloads[name], cell, options)))
}

/** The values of a workload, in one line per group. A group without values has one cell that says nothing. */
function cellsOf(name, options) {
  if (workloads[name].shape === 'batch') return [{ jobs: options.jobs ?? (options.quick ? QUICK_JOBS : JOBS) }]
  if (name !== 'get' && name !== 'set') return [{}]
  const defaults = options.quick ? (name === 'get' ? [400, 32 * KB] : [400]) : SIZES
  const cells = (options.sizes ?? defaults).map((size) => ({ size, shape: options.shape ?? 'text' }))
  // One look at values that are slow to parse, since a text parses almost for free.
  const isWhole = name === 'get' && !options.sizes && !options.shape && !options.quick
  return isWhole ? [...cells, { size: 32 * KB, shape: 'rows', inflight: [64] }] : cells
}

function makeGroup(workload, { size, shape, jobs, inflight }, options) {
  const contenders = workload.contenders.filter((name) => options.contenders?.includes(name) ?? true)
  return {
    id: [workload.name, size && label(size).replace(' ', ''), shape === 'text' ? undefined : shape]
      .filter(Boolean)
      .join('-'),
    title: [
      workload.title,
      size && `${label(size)}${shape === 'text' ? '' : ` of ${shape}`}`,
      jobs && `${jobs.toLocaleString('en')} jobs`,
    ]
      .filter(Boolean)
      .join(', '),
    workload: workload.name,
    baseline: workload.baseline,
    unit: workload.unit ?? 'in flight',
    figure: workload.figure ?? 'opsPerSecond',
    cell: { size, shape, jobs },
    contenders,
    inflight: (!workload.fixed && options.inflight) || inflight || workload.inflight || INFLIGHT,
    rounds: options.rounds,
    ms: jobs ? null : (options.ms ?? (options.quick ? QUICK_MS : milliseconds(workload.name, size))),
  }
}

function milliseconds(name, size) {
  const entry = FULL_MS[name] ?? FULL_MS[name.split('-')[0]]
  return typeof entry === 'number' ? entry : (entry[size] ?? entry.other)
}

export const label = (size) => (size < KB ? `${size} B` : `${size / KB} KB`)

export const runsOf = (group) => group.contenders.length * group.inflight.length * group.rounds
