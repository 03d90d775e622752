// The options that types/ declares, with what their comments say about defaults and bounds.
import assert from 'node:assert/strict'

import { declarations } from './types.mjs'

const FIELD = /(?:\/\*\*((?:(?!\*\/)[^])*)\*\/\n)?^( +)(\w+)\??:(.*)$/gm
const NUMBER = String.raw`-?\d[\d,]*(?:\.\d+)?(?: (?:ms|seconds?|minutes?|hours?|days?|MB)\b)?`
const MILLISECONDS = { ms: 1, second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 }
const IN_SECONDS = /^ttl$|Seconds$/

/** The text of an interface or a type. */
function bodyOf(name) {
  const [, body] =
    new RegExp(`^export (?:interface|type) ${name}\\b.*\\n([^]*?)\\n(?:\\}\\n|\\n)`, 'm').exec(declarations) ?? []
  assert.ok(body, `types/ declares ${name}`)
  return body
}

/**
 * The options of an interface or type: `{ doc, type }` by path. `isGroup(path)` says which are objects of options, whose interfaces are
 * read too.
 */
export function declaredOptions(name, isGroup, within = '') {
  const found = new Map()
  const outer = []
  for (const [, comment = '', { length: indent }, field, type] of bodyOf(name).matchAll(FIELD)) {
    if (type === ' undefined') continue
    while (outer.at(-1)?.indent >= indent) outer.pop()
    const path = `${outer.at(-1)?.path ?? within}${field}`
    outer.push({ indent, path: `${path}.` })
    found.set(path, { type: type.trim(), doc: comment.replace(/\s*\n\s*\* ?/g, ' ').trim() })
    if (!isGroup(path)) continue
    const [, interfaceName, omitted = ''] = /\b([A-Z]\w+)\b(?:, (.*?)>)?$/.exec(type.replace(/\bOmit</, '')) ?? []
    if (!interfaceName) continue
    for (const [nested, declared] of declaredOptions(interfaceName, isGroup, `${path}.`)) {
      const [own] = nested.slice(path.length + 1).split('.')
      if (!omitted.includes(`'${own}'`)) found.set(nested, declared)
    }
  }
  return found
}

/** A number as comments write it, such as `1,000`, `64 MB` or `7 days`, in the unit of the option with this name. */
function numberOf(text, name) {
  const [, digits, unit] = /^([\d,.-]+)(?: (ms|\w+?)s?)?$/.exec(text)
  const number = Number(digits.replaceAll(',', ''))
  if (unit === undefined) return number
  if (unit === 'MB') return number * 2 ** 20
  return (number * MILLISECONDS[unit]) / (IN_SECONDS.test(name) ? 1000 : 1)
}

/** The default that a comment states, as in the table; `undefined` if it states none, or one that depends on something else. */
export function statedDefault(doc, name) {
  const [, literal, number] = new RegExp(`\\bDefault (?:\`([^\`]+)\`|(${NUMBER}))`).exec(doc) ?? []
  return literal?.replaceAll("'", '') ?? (number && String(numberOf(number, name)))
}

/** The numbers in the default that the comment of a group states in words. */
export function statedNumbers(doc, names) {
  const [, words] = /\bDefault: (.*?)\.(?:\s|$)/.exec(doc) ?? []
  return [...(words ?? '').matchAll(new RegExp(NUMBER, 'g'))].map(([text], at) => numberOf(text, names[at] ?? ''))
}

/** The bounds that a comment states, as in the table. */
export function statedBounds(doc, name) {
  const found = (pattern) =>
    new RegExp(pattern, 'i')
      .exec(doc)
      ?.slice(1)
      .map((text) => String(numberOf(text, name)))
  const [least, most] = found(`\\bfrom (${NUMBER}) to (${NUMBER})`) ?? []
  if (least !== undefined) return { least, most }
  const [above, share] = found(`\\babove (${NUMBER}) and at most (${NUMBER})`) ?? []
  if (above !== undefined) return { least: `>${above}`, most: share }
  return { least: found(`\\bat least (${NUMBER})`)?.[0], most: found(`\\bat most (${NUMBER})`)?.[0] }
}
