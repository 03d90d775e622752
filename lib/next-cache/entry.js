'use strict'

const { types } = require('node:util')

const VERSION = 1
const NEWLINE = 10
// Shorter texts stay in the header.
const SHORT = 256

/** The header of an entry as JSON. Throws for values that JSON would change. */
function headerText(header, parts) {
  return JSON.stringify({ ...header, sizes: parts.map((part) => part.byteLength) }, plainOnly)
}

/** An entry as it is stored: a line of JSON with its times and the header, and after it all bytes as they are. */
function writeEntry(times, text, parts) {
  const line = `${JSON.stringify({ v: VERSION, ...times }).slice(0, -1)},${text.slice(1)}\n`
  return Buffer.concat([Buffer.from(line), ...parts])
}

/** `{ header, parts }`, or `undefined` for anything else than a whole entry of this version. */
function readEntry(bytes) {
  try {
    const end = bytes.indexOf(NEWLINE)
    const header = JSON.parse(bytes.toString('utf8', 0, end))
    if (header.v !== VERSION || !Array.isArray(header.tags)) return undefined
    let at = end + 1
    const parts = header.sizes.map((size) => bytes.subarray(at, (at += size)))
    return at === bytes.length ? { header, parts } : undefined
  } catch {
    return undefined
  }
}

/** Divides a value of Next.js into what is written as JSON and the bytes and long texts in it: `{ plain, places, parts }`. */
function divide(value) {
  const plain = {}
  const places = []
  const parts = []
  const add = (form, part, ...place) => {
    places.push([form, ...place])
    parts.push(part)
  }
  for (const [name, field] of Object.entries(value)) {
    if (types.isUint8Array(field)) add('bytes', field, name)
    else if (types.isMap(field) && [...field.values()].every(types.isUint8Array)) {
      places.push(['map', name])
      for (const [key, part] of field) add('bytes', part, name, key)
    } else if (isLong(field)) add('utf8', Buffer.from(field), name)
    else if (name === 'data' && isLong(field?.body)) {
      // The body of a response to `fetch` is base64, that of `unstable_cache` is JSON.
      const { body, ...data } = field
      plain.data = data
      const decoded = Buffer.from(body, 'base64')
      const isBase64 = decoded.toString('base64') === body
      add(isBase64 ? 'base64' : 'utf8', isBase64 ? decoded : Buffer.from(body), name, 'body')
    } else plain[name] = field
  }
  return { plain, places, parts }
}

/** The value that was divided, or `undefined` if the parts do not fit. */
function unite({ plain, places }, parts) {
  try {
    let at = 0
    for (const [form, name, inner] of places) {
      if (form === 'map') {
        plain[name] = new Map()
        continue
      }
      const part = parts[at++]
      const field = form === 'bytes' ? part : part.toString(form)
      if (inner === undefined) plain[name] = field
      else if (types.isMap(plain[name])) plain[name].set(inner, field)
      else plain[name][inner] = field
    }
    return plain
  } catch {
    return undefined
  }
}

// Text that UTF-8 cannot express stays in the header.
function isLong(field) {
  return typeof field === 'string' && field.length > SHORT && field.isWellFormed()
}

function plainOnly(name, field) {
  const own = this[name]
  if (types.isMap(own) || types.isSet(own) || ArrayBuffer.isView(own) || types.isAnyArrayBuffer(own)) {
    throw new TypeError('bytes, maps and sets within other objects cannot be stored')
  }
  return field
}

module.exports = { divide, headerText, readEntry, unite, writeEntry }
