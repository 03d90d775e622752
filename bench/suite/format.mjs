/** Figures as people read them. */
export function count(number) {
  if (number >= 99_500) return `${Math.round(number / 1000)}k`
  if (number >= 1000) return `${(number / 1000).toFixed(1)}k`
  return String(Math.round(number))
}

/** Three significant digits, no exponent. */
export function three(number) {
  if (number === null || number === undefined || Number.isNaN(number)) return '–'
  if (number >= 100) return String(Math.round(number))
  return number.toFixed(number >= 10 ? 1 : 2)
}

export const times = (ratio) => (ratio ? `${ratio.toFixed(2)}×` : '–')

/** Is it a group's throughput that is compared? Otherwise it is how long each takes, at a given rate. */
export const isThroughput = ({ figure }) => figure === 'opsPerSecond'

const rate = ['ops/s', (row) => count(row.opsPerSecond.median)]
const ratios = [
  ['× best peer', (row) => times(row.timesBestPeer)],
  ['× base', (row) => times(row.timesBaseline)],
]
const p50 = ['p50 µs', (row) => three(row.p50Micros?.median)]
const range = (print, spread) => ['min–max', (row) => `${print(spread(row).min)}–${print(spread(row).max)}`]
const costs = [
  ['p99 µs', (row) => three(row.p99Micros?.median)],
  ['main µs', (row) => three(row.mainMicros.median)],
  ['(cpu)', (row) => three(row.mainCpuMicros?.median)],
  ['process µs', (row) => three(row.processMicros.median)],
  ['server µs', (row) => three(row.serverMicros?.median)],
  ['RSS MB', (row) => three(row.rssMegabytes.median)],
]
const ofThroughput = [rate, range(count, (row) => row.opsPerSecond), ...ratios, p50, ...costs]
const ofLatency = [p50, range(three, (row) => row.p50Micros), ...ratios, rate, ...costs]

/** What a table shows of each row of a group: `[head, the cell of a row]`. What is compared comes first. */
export const columnsOf = (group) => (isThroughput(group) ? ofThroughput : ofLatency)
