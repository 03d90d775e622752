'use strict'

const { types } = require('node:util')

// Taken when the module loads, like every global that a value's shape depends on.
const { parse, stringify } = JSON
const tagOf = Function.prototype.call.bind(Object.prototype.toString)
const BOXED = new Set(['[object Object]', '[object String]', '[object Number]', '[object Boolean]', '[object Module]'])
const KINDS = [
  [types.isMap, 'a Map'],
  [types.isSet, 'a Set'],
  [types.isRegExp, 'a RegExp'],
  [types.isPromise, 'a Promise'],
  [(value) => types.isNativeError(value) || value instanceof Error, 'an Error'],
]

/**
 * The JSON of a value, for everything that is stored or sent: as `JSON.stringify` writes it, dates as their text, without
 * fields that are undefined. `undefined` for what is no value. Throws for what would silently become something else:
 * binary data, a Map, a Set, a RegExp, an Error, a Promise and other objects that show none of what they hold.
 */
function toJson(value) {
  const text = stringify(value)
  if (text !== undefined && typeof value === 'object' && value !== null) assertKept(value)
  return text
}

/** The value that a JSON text stands for. */
function fromJson(text) {
  return parse(text)
}

// After JSON.stringify, which has thrown at a cycle.
function assertKept(value) {
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item = value[i]
      if (typeof item === 'object' && item !== null) assertKept(item)
    }
    return
  }
  const prototype = Object.getPrototypeOf(value)
  const plain = prototype === Object.prototype || prototype === null
  if (!plain && isBytes(value)) refuse('binary data')
  // Whoever says by himself what his JSON is has decided.
  if (typeof value.toJSON === 'function') return
  if (!plain) assertShows(value)
  for (const name in value) {
    const field = value[name]
    if (typeof field === 'object' && field !== null && Object.hasOwn(value, name)) assertKept(field)
  }
}

function isBytes(value) {
  return ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)
}

function assertShows(value) {
  const kind = KINDS.find(([is]) => is(value))
  if (kind) refuse(kind[1])
  const tag = tagOf(value)
  if (!BOXED.has(tag) && Object.keys(value).length === 0) refuse(`a ${tag.slice(8, -1)}`)
}

function refuse(what) {
  throw new TypeError(`${what} has no JSON; make it text, an array or a plain object first`)
}

module.exports = { fromJson, toJson }
