/** What a run must show, as data, and who falls short. */
import { isPeer } from '../contenders/titles.mjs'
import { bestPeer, ratio } from './summary.mjs'

const RLF = ['rate-limiter-flexible', 'rate-limiter-flexible-auto']
const IOREDIS = ['ioredis', 'ioredis-auto']

/** `beside`: the peers of which the best one counts; absent means all of them. `by`: the figure, if not the group's own. */
export const targets = [
  { group: 'get-400B', inflight: 1, atLeast: 0.8 },
  { group: 'get-400B', inflight: 64, atLeast: 1.3 },
  { group: 'get-400B', inflight: 512, atLeast: 2 },
  { group: 'get-400B', inflight: 64, mainAtMost: 0.5, beside: IOREDIS },
  { group: 'get-32KB', inflight: 64, atLeast: 1.3, beside: IOREDIS },
  { group: 'get-32KB', inflight: 64, atLeast: 1, beside: ['glide'] },
  { group: 'limit', inflight: 64, atLeast: 2, beside: RLF },
  { group: 'limit', inflight: 512, atLeast: 3, beside: RLF },
  { group: 'limit-gcra', inflight: 64, atLeast: 2, beside: RLF },
  { group: 'limit-gcra', inflight: 512, atLeast: 3, beside: RLF },
  { group: 'limit-shares', inflight: 64, atLeast: 20, beside: RLF },
  { group: 'limit-mixed', inflight: 64, atLeast: 4, beside: RLF },
  { group: 'lock', inflight: 1, atLeast: 1.5 },
  { group: 'lock', inflight: 64, atLeast: 2 },
  { group: 'lock-handover', inflight: 1, atLeast: 2 },
  { group: 'session', inflight: 64, atLeast: 1.1, beside: IOREDIS },
  { group: 'session', inflight: 512, atLeast: 1.3, beside: IOREDIS },
  { group: 'session', inflight: 64, mainAtMost: 0.5, beside: IOREDIS },
  { group: 'session', inflight: 512, mainAtMost: 0.5, beside: IOREDIS },
  { group: 'add-many', inflight: 1, atLeast: 2 },
  { group: 'add', inflight: 64, atLeast: 2 },
  { group: 'process', inflight: 1, atLeast: 2 },
  { group: 'process', inflight: 100, atLeast: 2 },
  { group: 'latency', inflight: 1000, atLeast: 1, beside: IOREDIS },
  { group: 'latency-alone', inflight: 1000, atLeast: 1, beside: IOREDIS },
  { group: 'messages', inflight: 64, atLeast: 1, beside: IOREDIS },
  { group: 'messages', inflight: 64, by: 'p50Micros', atLeast: 1, beside: IOREDIS },
  { group: 'messages-alone', inflight: 64, atLeast: 1, beside: IOREDIS },
  { group: 'messages-alone', inflight: 64, by: 'p50Micros', atLeast: 1, beside: IOREDIS },
]

/** One verdict per target that this run was asked for: `{ text, met }`. */
export const checkTargets = (groups) =>
  targets.flatMap((target) => {
    const group = groups.find(({ id }) => id === target.group)
    const cell = group?.cells.find(({ inflight }) => inflight === target.inflight)
    return cell ? [verdict(target, group, cell)] : []
  })

function verdict(target, group, { rows }) {
  const { inflight, beside } = target
  const peers = rows.filter(({ name }) => isPeer(name) && (beside?.includes(name) ?? true))
  const ours = rows.find(({ name }) => name === 'cinnabar')
  const what = `${group.id} at ${inflight} ${group.unit}`
  if (!ours || peers.length === 0) return { met: false, text: `${what}: no figure` }
  if (target.atLeast === undefined) return mainVerdict(target, what, ours, peers)
  const figure = target.by ?? group.figure
  return figureVerdict(target, figure, what, ours, bestPeer(figure, peers))
}

function figureVerdict({ atLeast }, figure, what, ours, peer) {
  const reached = ratio(figure, ours, peer)
  const word = figure === 'p50Micros' ? 'as short, p50, as ' : ''
  return {
    met: reached >= atLeast,
    text: `${what}: ${reached.toFixed(2)} × ${word}${peer.name}, target ≥ ${atLeast} ×`,
  }
}

/** The strictest reading: against the peer that needs least of the main thread. */
function mainVerdict({ mainAtMost }, what, ours, peers) {
  const least = peers.reduce((best, row) => (row.mainMicros.median < best.mainMicros.median ? row : best))
  const ratio = ours.mainMicros.median / least.mainMicros.median
  const text = `${what}: main thread ${ratio.toFixed(2)} × ${least.name} (${ours.mainMicros.median.toFixed(2)} µs), target ≤ ${mainAtMost} ×`
  return { met: ratio <= mainAtMost, text }
}
