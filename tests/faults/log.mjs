// What a service says about its connections: one line per change of state, so never the same twice in a row.

const families = [
  ['connected', 'lost', 'down'],
  ['breakeropen', 'breakerhalfopen', 'breakerclosed'],
]

/** The kind of an event, however it is spelled. */
export const kindOf = (event) =>
  String(event.type)
    .toLowerCase()
    .replaceAll(/[^a-z]/g, '')

/** The events that repeat what was said last about the same thing, in words. */
export function repeated(events) {
  const last = new Map()
  const found = []
  for (const event of events) {
    const kind = kindOf(event)
    const family = families.findIndex((names) => names.includes(kind))
    if (family < 0) continue
    const about = `${family} ${event.target}`
    if (last.get(about) === kind) found.push(`"${event.type}" of ${event.target} was said twice in a row`)
    last.set(about, kind)
  }
  return [...new Set(found)]
}
