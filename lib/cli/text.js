'use strict'

// Text for terminals and pipes. Names, ids and errors may come from clients, so they must not control a terminal.

const SECOND = 1000
const UNITS = [
  ['d', 24 * 3600 * SECOND],
  ['h', 3600 * SECOND],
  ['min', 60 * SECOND],
  ['s', SECOND],
]
const BYTES = ['B', 'kB', 'MB', 'GB', 'TB']

/** One line without control and format characters, of at most `most` characters. */
function printable(text, most = Infinity) {
  const line = String(text)
    .replaceAll(/\s+/gu, ' ')
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '?')
  return shortened(line, most)
}

function shortened(text, most) {
  const characters = [...text]
  return characters.length > most ? `${characters.slice(0, Math.max(0, most - 1)).join('')}…` : text
}

/** Indented JSON in which control and format characters are escaped. */
function toJson(value) {
  const escape = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  const text = JSON.stringify(value, null, 2) ?? 'null'
  return text.replaceAll(/[\x7f-\x9f\u2028\u2029\p{Cf}]/gu, (found) => found.split('').map(escape).join(''))
}

/** Lines of columns, two spaces apart. `right` are the indices of those that are aligned to the right. */
function table(rows, right = []) {
  const widths = rows.reduce((all, row) => row.map((cell, at) => Math.max(all[at] ?? 0, cell.length)), [])
  const padded = (cell, at) => (right.includes(at) ? cell.padStart(widths[at]) : cell.padEnd(widths[at]))
  return rows.map((row) => row.map(padded).join('  ').trimEnd())
}

/** A duration in the largest unit of which there is one. */
function duration(ms) {
  const [unit, length] = UNITS.find(([, length]) => ms >= length) ?? UNITS.at(-1)
  return `${Math.max(0, Math.floor(ms / length))} ${unit}`
}

/** With a comma at each thousand. */
function number(value) {
  return value.toLocaleString('en-US')
}

/** In the largest unit of which there is one. */
function bytes(count) {
  const at = count < 1000 ? 0 : Math.min(BYTES.length - 1, Math.floor(Math.log10(count) / 3))
  const value = count / 1000 ** at
  return `${at === 0 || value >= 100 ? Math.round(value) : Math.round(value * 10) / 10} ${BYTES[at]}`
}

function counted(count, what) {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

module.exports = { bytes, counted, duration, number, printable, shortened, table, toJson }
