'use strict'

const { types } = require('node:util')

// Captured when the module loads, like every global that the result depends on.
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
 * The JSON of a value, used for everything that is stored or sent. Same as `JSON.stringify`: dates become strings, undefined
 * fields are omitted, and the result is `undefined` for `undefined`, functions and symbols. Throws for values whose content
 * JSON would silently drop or mangle: binary data, Map, Set, RegExp, Error, Promise and other objects without enumerable fields.
 */
function toJson(value) {
  const text = stringify(value)
  if (text !== undefined && typeof value === 'object' && value !== null) assertKept(value)
  return text
}

/** Parses JSON. */
function fromJson(text) {
  return parse(text)
}

// Runs after JSON.stringify, which throws on cycles.
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
  // An object with `toJSON` chooses its JSON itself.
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
  throw new TypeError(`${what} has no JSON form; convert it to a string, an array or a plain object first`)
}

module.exports = { fromJson, toJson }
