'use strict'

// What was counted, as text and as JSON.

const { bytes, duration, number, printable, table } = require('../text.js')

const HEAD = ['prefix', 'keys', 'no ttl', 'shortest', 'longest', 'memory']
const MOST_PREFIX = 24
const RIGHT = [1, 2, 3, 4, 5]
const NONE = '-'

function asText(found, where, paint) {
  const groups = shownGroups(found)
  const rows = groups.map((group) => [
    group.prefix === null ? 'other' : printable(group.prefix, MOST_PREFIX),
    number(group.keys),
    percentage(group),
    group.shortest === Infinity ? NONE : duration(group.shortest),
    group.longest === -Infinity ? NONE : duration(group.longest),
    group.memory ? `${group.memory.sampled < group.keys ? '~' : ''}${bytes(group.memory.estimatedBytes)}` : '?',
  ])
  const [head, ...lines] = table([HEAD, ...rows], RIGHT)
  // Cinnabar sets a ttl on each key of these features.
  const painted = lines.map((line, at) =>
    groups[at].expires && groups[at].withoutTtl > 0 ? paint('warning', line) : line,
  )
  const names = found.names?.map(({ name, ttlMs }) => `${printable(name)}  ${ttlMs === -1 ? 'no ttl' : (ttlMs ?? '?')}`)
  return [
    `keys at ${where}`,
    '',
    ...(rows.length > 0 ? [paint('dim', head), ...painted, ''] : []),
    summary(found),
    ...(names?.length ? ['', ...names] : []),
    '',
  ].join('\n')
}

function summary({ seen, total, complete, pattern }) {
  const of = total === null ? '' : ` of about ${number(total)}`
  if (pattern !== undefined) {
    const matching = `${number(seen)} ${seen === 1 ? 'key matches' : 'keys match'}`
    return complete ? `${matching}${of}` : `${matching} so far; not all${of} were examined, which a higher --limit does`
  }
  if (seen === 0) return 'no keys'
  return complete
    ? `all ${number(seen)} ${seen === 1 ? 'key' : 'keys'}`
    : `${number(seen)}${of} keys were read; a higher --limit reads more`
}

// A share that is not zero is never shown as zero.
function percentage({ keys, withoutTtl, unknownTtl }) {
  const known = keys - unknownTtl
  if (known === 0) return '?'
  const share = (100 * withoutTtl) / known
  return share > 0 && share < 1 ? '<1 %' : `${Math.floor(share)} %`
}

function asJson(found) {
  const { seen, total, complete, pattern, names } = found
  const prefixes = shownGroups(found).map(
    ({ prefix, feature, keys, withoutTtl, unknownTtl, shortest, longest, memory }) => ({
      prefix,
      feature,
      keys,
      withoutTtl,
      unknownTtl,
      shortestTtlMs: shortest === Infinity ? null : shortest,
      longestTtlMs: longest === -Infinity ? null : longest,
      memory,
    }),
  )
  return { pattern: pattern ?? null, keys: seen, total, complete, prefixes, ...(names && { names }) }
}

/** The groups that have keys, the largest first, and the one without a prefix last. */
function shownGroups({ groups }) {
  const order = (a, b) => (a.prefix === null) - (b.prefix === null) || b.keys - a.keys
  return groups.filter(({ keys }) => keys > 0).sort(order)
}

module.exports = { asJson, asText }
