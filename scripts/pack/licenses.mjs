// The licenses of everything that is linked into an addon, as one text: each license once, under the crates that have it.

import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'

const IS_LICENSE = /(^|\/)(licen[cs]e|copying|copyright|notice|unlicense)[^/]*$/i
// Code of tests and of build scripts is not in the addon, nor are versions of Lua and mimalloc other than the ones that are used.
const NOT_LINKED = /(^|\/)(tests?|benches|examples|v3)\//

const HEAD = `The addon of cinnabar contains the code listed here, under the licenses that follow.
Where a crate offers a choice of licenses, the texts of all of them are included.

The Rust standard library is part of it too: copyright of its contributors, under the MIT license or the Apache License 2.0, whose texts are below.
`

/** Returns the text for these crates. */
export function licenseTexts(crates) {
  // The same license is indented and wrapped in many ways.
  const byWords = new Map()
  for (const crate of crates.filter(({ isOurs }) => !isOurs)) {
    for (const text of textsOf(crate)) {
      const words = text.replace(/\s+/g, ' ')
      const { names = [] } = byWords.get(words) ?? {}
      byWords.set(words, { text, names: [...names, `${crate.name} ${crate.version}`] })
    }
  }
  const parts = [...byWords.values()].map(({ text, names }) => `${[...new Set(names)].join('\n')}\n\n${text}\n`)
  return [HEAD, ...parts].join(`\n${'-'.repeat(80)}\n\n`)
}

function textsOf({ name, license, path }) {
  const folder = dirname(path)
  const files = readdirSync(folder, { recursive: true }).filter(
    (file) => IS_LICENSE.test(file) && !NOT_LINKED.test(file),
  )
  const texts = files.map((file) => readText(join(folder, file))).filter(Boolean)
  // Some crates only name theirs.
  if (texts.length === 0 && license) texts.push(`License, as the crate ${name} names it without a text: ${license}`)
  if (texts.length === 0) throw new Error(`${name} names no license and has no text of one: it must not be published`)
  return [...new Set(texts)]
}

// A folder may be named like a license.
function readText(file) {
  try {
    return readFileSync(file, 'utf8').replaceAll('\r\n', '\n').trim()
  } catch (error) {
    if (error.code === 'EISDIR') return ''
    throw error
  }
}
