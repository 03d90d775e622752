/** Grouped bars as one SVG that follows the reader's light or dark setting. Bars are multiples of the base peer. */
import { titles } from '../contenders/titles.mjs'
import { count, isThroughput } from './format.mjs'

const WIDTH = 1240
const MARGIN = 28
const GAP = 36
const HEAD = 102
const PANEL = { width: (WIDTH - 2 * MARGIN - GAP) / 2, height: 268, top: 56, bottom: 30, left: 34 }

const COLOURS = {
  cinnabar: 'c0',
  'cinnabar-raw': 'c1',
  ioredis: 'c2',
  'ioredis-auto': 'c3',
  'node-redis': 'c4',
  glide: 'c5',
  'rate-limiter-flexible': 'c2',
  'rate-limiter-flexible-auto': 'c3',
  'redis-semaphore': 'c2',
  'redis-semaphore-auto': 'c3',
  'upstash-ratelimit': 'c4',
  redlock: 'c4',
  bullmq: 'c2',
}

const STYLE = `
  svg { --bg: #ffffff; --ink: #1f2328; --soft: #656d76; --grid: #e4e8ec; --base: #9aa3ad;
    --c0: #d63a20; --c1: #f0a08f; --c2: #2f6fb0; --c3: #8fbbe3; --c4: #4e9a6a; --c5: #8a6bb8 }
  @media (prefers-color-scheme: dark) { svg { --bg: #0d1117; --ink: #e6edf3; --soft: #9198a1; --grid: #232a33; --base: #5c6570;
    --c0: #ff6347; --c1: #a8503f; --c2: #4d94d8; --c3: #2f5378; --c4: #57b37c; --c5: #a98bdc } }
  text { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif; fill: var(--ink) }
  .title { font-size: 20px; font-weight: 650 } .panel { font-size: 14px; font-weight: 600 }
  .soft { fill: var(--soft); font-size: 11.5px } .axis { fill: var(--soft); font-size: 10.5px }
  .value { font-size: 9px; fill: var(--soft); stroke: var(--bg); stroke-width: 3px; paint-order: stroke } .own { fill: var(--ink); font-weight: 650 }
  .grid { stroke: var(--grid) } .base { stroke: var(--base); stroke-dasharray: 3 3 } .whisker { stroke: var(--ink); stroke-opacity: .55 }
  ${[0, 1, 2, 3, 4, 5].map((n) => `.c${n} { fill: var(--c${n}) }`).join(' ')}`

export function toChart({ machine, groups }) {
  const shown = groups.filter(isThroughput).filter((group) => group.cells.some((cell) => cell.rows.length))
  const rows = Math.ceil(shown.length / 2)
  const height = HEAD + rows * (PANEL.height + 26) + 10
  const facts = `Node ${machine.node}, ${machine.server}, ${machine.cores} cores shared with the server, ${machine.date.slice(0, 10)}, medians of ${groups[0]?.rounds ?? 0} rounds`
  const panels = shown.map((group, n) => {
    const x = MARGIN + (n % 2) * (PANEL.width + GAP)
    const y = HEAD + Math.floor(n / 2) * (PANEL.height + 26)
    return `<g transform="translate(${x} ${y})">${drawPanel(group)}</g>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Throughput of cinnabar and its peers">
<style>${STYLE}</style>
<rect width="100%" height="100%" fill="var(--bg)"/>
<text class="title" x="${MARGIN}" y="36">Throughput side by side, higher is better</text>
<text class="soft" x="${MARGIN}" y="57">Height: multiple of the base peer (dashed line) at the same number in flight. Over each bar: calls, jobs or messages per second. Thin line: lowest to highest round.</text>
<text class="soft" x="${MARGIN}" y="74">${escape(facts)}</text>
${panels.join('\n')}
</svg>
`
}

function drawPanel(group) {
  const present = group.contenders.filter((name) =>
    group.cells.some((cell) => cell.rows.some((row) => row.name === name)),
  )
  const scale = scaleOf(group)
  const slot = (PANEL.width - PANEL.left) / group.cells.length
  const bars = group.cells.map((cell, n) => drawCell(group, cell, present, PANEL.left + n * slot, slot, scale))
  return `<text class="panel" x="0" y="13">${escape(group.title)}</text>${legend(present)}${grid(scale)}${bars.join('')}`
}

/** What height 1 stands for in a cell: the base peer, or the best row where that one is missing. */
const unitOf = (group, cell) =>
  (cell.rows.find((row) => row.name === group.baseline) ?? cell.rows[0])?.opsPerSecond.median ?? 1

function scaleOf(group) {
  const highest = Math.max(
    1,
    ...group.cells.flatMap((cell) => cell.rows.map((row) => row.opsPerSecond.max / unitOf(group, cell))),
  )
  const step = [0.25, 0.5, 1, 2, 5, 10, 20, 50].find((size) => highest / size <= 5) ?? highest / 5
  const top = Math.ceil((highest * 1.06) / step) * step
  const bottomY = PANEL.height - PANEL.bottom
  return { step, top, y: (ratio) => bottomY - (ratio / top) * (bottomY - PANEL.top) }
}

function grid({ step, top, y }) {
  const lines = []
  for (let ratio = 0; ratio <= top + 1e-9; ratio += step) {
    const at = y(ratio).toFixed(1)
    lines.push(`<line class="grid" x1="${PANEL.left}" x2="${PANEL.width}" y1="${at}" y2="${at}"/>`)
    lines.push(
      `<text class="axis" x="${PANEL.left - 6}" y="${Number(at) + 3.5}" text-anchor="end">${+ratio.toFixed(2)}×</text>`,
    )
  }
  const base = y(1).toFixed(1)
  return `${lines.join('')}<line class="base" x1="${PANEL.left}" x2="${PANEL.width}" y1="${base}" y2="${base}"/>`
}

function legend(names) {
  let x = 0
  const entries = names.map((name) => {
    const entry = `<rect class="${COLOURS[name]}" x="${x}" y="24" width="10" height="10" rx="2"/><text class="soft" x="${x + 14}" y="33">${escape(titles[name])}</text>`
    x += 30 + titles[name].length * 6
    return entry
  })
  return entries.join('')
}

function drawCell(group, cell, names, left, width, scale) {
  const pad = 12
  const pitch = Math.min(44, (width - 2 * pad) / names.length)
  const start = left + (width - pitch * names.length) / 2
  const unit = unitOf(group, cell)
  const bars = names.map((name, n) => {
    const row = cell.rows.find((each) => each.name === name)
    return row ? drawBar(row, unit, start + n * pitch, pitch, scale) : ''
  })
  const label = `<text class="axis" x="${left + width / 2}" y="${PANEL.height - PANEL.bottom + 18}" text-anchor="middle">${cell.inflight} ${escape(group.unit)}</text>`
  return bars.join('') + label
}

function drawBar(row, unit, x, pitch, { y }) {
  const { median, min, max } = row.opsPerSecond
  const width = pitch - Math.max(3, pitch * 0.16)
  const [top, bottom, middle] = [y(median / unit), y(0), x + pitch / 2]
  const [low, high] = [y(min / unit), y(max / unit)]
  const own = row.name.startsWith('cinnabar') ? ' own' : ''
  return [
    `<rect class="${COLOURS[row.name]}" x="${(middle - width / 2).toFixed(1)}" y="${top.toFixed(1)}" width="${width.toFixed(1)}" height="${Math.max(0.5, bottom - top).toFixed(1)}" rx="2"><title>${escape(`${titles[row.name]}: ${count(median)}/s (${count(min)}–${count(max)})`)}</title></rect>`,
    `<line class="whisker" x1="${middle.toFixed(1)}" x2="${middle.toFixed(1)}" y1="${high.toFixed(1)}" y2="${low.toFixed(1)}"/>`,
    `<text class="value${own}" x="${middle.toFixed(1)}" y="${(Math.min(top, high) - 4).toFixed(1)}" text-anchor="middle">${brief(median)}</text>`,
  ].join('')
}

/** Bars are narrow: two or three digits say enough. */
const brief = (number) => (number >= 9950 ? `${Math.round(number / 1000)}k` : count(number))

const escape = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)
