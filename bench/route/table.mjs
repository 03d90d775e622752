/** The figures of the route as a table, and what they must show. */
import { count, three, times } from '../suite/format.mjs'
import { median } from '../suite/summary.mjs'
import { contenders } from './contenders.mjs'

const FIGURES = ['requestsPerSecond', 'p50Micros', 'p99Micros', 'mainMicros', 'processMicros', 'serverMicros', 'reads']
const OURS = ['cinnabar', 'cinnabar-rolling']

/** Medians and ranges. `work` is what a request takes of the main thread beyond one to a route without a session. */
export function summariseRoute(measured) {
  const bare = measured.get('none')?.rounds
  return [...measured].map(([name, { rounds, counts }]) => {
    const own = rounds.map((round, n) => ({ ...round, mainMicros: mainOf(round), work: workOf(round, bare?.[n]) }))
    const figures = [...FIGURES, 'work'].map((figure) => [figure, spread(own.map((round) => round[figure]))])
    return { name, counts, ...Object.fromEntries(figures) }
  })
}

/** By the kernel's clock where there is one, since the event loop's counts the time of other processes on its core too. */
const mainOf = ({ mainCpuMicros, mainMicros }) => mainCpuMicros ?? mainMicros

const workOf = (round, bare) => (bare ? mainOf(round) - mainOf(bare) : null)

function spread(numbers) {
  if (numbers.some((number) => number === null)) return null
  return { median: median(numbers), min: Math.min(...numbers), max: Math.max(...numbers) }
}

/** Rows of text, the head first. */
export function routeTable(rows) {
  const head = ['', 'requests/s', 'p50, ms', 'p99, ms', 'main, µs', 'session work, µs', 'process, µs', 'server, µs']
  const cells = rows.map((row) => [
    contenders[row.name].title,
    range(row.requestsPerSecond, count),
    millis(row.p50Micros),
    millis(row.p99Micros),
    range(row.mainMicros, three),
    row.name === 'none' ? '–' : range(row.work, three),
    three(row.processMicros.median),
    three(row.serverMicros?.median),
    row.counts.commands.toFixed(2),
    row.counts.reads.toFixed(2),
    row.reads.median.toFixed(2),
  ])
  return [[...head, 'commands', 'round trips', 'reads of the server'], ...cells]
}

const range = (of, print) => (of ? `${print(of.median)} (${print(of.min)}–${print(of.max)})` : '–')

const millis = (of) => (of.median / 1000).toFixed(2)

/** One per peer and target that this run has figures for: `{ text, met }`. */
export function routeVerdicts(rows) {
  const rowOf = (name) => rows.find((row) => row.name === name)
  const ours = OURS.map(rowOf).filter(Boolean)
  const peers = rows.filter(({ name }) => contenders[name].peer)
  return ours.flatMap((own) => [
    ...peers.flatMap((peer) => beside(own, peer)),
    verdict(`${own.name}: ${own.counts.reads.toFixed(2)} round trips per request`, own.counts.reads <= 1.05, '1'),
  ])
}

function beside(own, peer) {
  const speed = own.requestsPerSecond.median / peer.requestsPerSecond.median
  const what = `${own.name} beside ${peer.name}`
  const verdicts = [verdict(`${what}: ${times(speed)} requests/s`, speed >= 2, '≥ 2×')]
  if (!own.work) return verdicts
  const work = own.work.median / peer.work.median
  return [...verdicts, verdict(`${what}: ${times(work)} session work`, work <= 0.5, '≤ 0.5×')]
}

const verdict = (text, met, target) => ({ met, text: `${text}, target ${target}` })
