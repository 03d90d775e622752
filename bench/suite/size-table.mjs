/** Weight and start-up: the figures, their targets, who falls short. */
const LIMITS = { addonMegabytes: 6, requireMs: 40, rssMegabytes: 15 }

export const sizeRows = (size) =>
  verdictsOf(size).map(({ what, figure, limit, met }) => [
    what,
    figure,
    limit === undefined ? '' : `< ${limit}${met ? '' : ' **missed**'}`,
  ])

export const sizeVerdicts = (size) =>
  verdictsOf(size)
    .filter(({ limit }) => limit !== undefined)
    .map(({ what, figure, limit, met }) => ({ met, text: `${what}: ${figure}, target < ${limit}` }))

function verdictsOf({ addonMegabytes, requireMs, firstServiceMs, rss }) {
  const row = (what, number, unit, limit) => ({
    what,
    figure: `${number.toFixed(1)} ${unit}`,
    limit,
    met: limit === undefined || number < limit,
  })
  return [
    row('the addon file', addonMegabytes, 'MB', LIMITS.addonMegabytes),
    row('require, cold, until an export can be used', requireMs, 'ms', LIMITS.requireMs),
    row('the same and a service made', firstServiceMs, 'ms'),
    row('RSS over bare Node, connected', rss.cinnabar, 'MB', LIMITS.rssMegabytes),
    ...(rss.ioredis === null ? [] : [row('RSS over bare Node, ioredis connected', rss.ioredis, 'MB')]),
  ]
}
