/** Medians and spread over the rounds, and the ratios people ask for. */
import { isPeer } from '../contenders/titles.mjs'

const METRICS = [
  'opsPerSecond',
  'p50Micros',
  'p99Micros',
  'mainMicros',
  'mainCpuMicros',
  'processMicros',
  'serverMicros',
  'rssMegabytes',
]

export function summarise(group) {
  return { ...group, cells: group.cells.map(({ inflight, samples }) => ({ inflight, rows: rowsOf(group, samples) })) }
}

function rowsOf(group, samples) {
  const rows = Object.entries(samples)
    .filter(([, runs]) => runs.length > 0)
    .map(([name, runs]) => ({
      name,
      runs,
      ...Object.fromEntries(METRICS.map((metric) => [metric, spread(runs, metric)])),
    }))
  const best = bestPeer(group.figure, rows)
  const baseline = rows.find((row) => row.name === group.baseline)
  return rows.map((row) => ({
    ...row,
    timesBestPeer: best && ratio(group.figure, row, best),
    timesBaseline: baseline && ratio(group.figure, row, baseline),
  }))
}

/** How many times as good `row` is by a figure: as many a second, or a latency as short. */
export const ratio = (figure, row, other) =>
  figure === 'opsPerSecond'
    ? row.opsPerSecond.median / other.opsPerSecond.median
    : other.p50Micros.median / row.p50Micros.median

export const bestPeer = (figure, rows) =>
  rows
    .filter((row) => isPeer(row.name))
    .reduce((best, row) => (best && ratio(figure, best, row) >= 1 ? best : row), undefined)

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

function spread(runs, metric) {
  const numbers = runs.map((run) => run[metric])
  if (numbers.some((number) => number === null)) return null
  return { median: median(numbers), min: Math.min(...numbers), max: Math.max(...numbers) }
}
