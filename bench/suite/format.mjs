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

/** What a table shows of one row, in the order of `columns`. */
export const columns = [
  'ops/s',
  'min–max',
  '× best peer',
  '× base',
  'p50 µs',
  'p99 µs',
  'main µs',
  '(cpu)',
  'process µs',
  'server µs',
  'RSS MB',
]

export const cellsOf = (row) => [
  count(row.opsPerSecond.median),
  `${count(row.opsPerSecond.min)}–${count(row.opsPerSecond.max)}`,
  times(row.timesBestPeer),
  times(row.timesBaseline),
  three(row.p50Micros?.median),
  three(row.p99Micros?.median),
  three(row.mainMicros.median),
  three(row.mainCpuMicros?.median),
  three(row.processMicros.median),
  three(row.serverMicros?.median),
  three(row.rssMegabytes.median),
]
