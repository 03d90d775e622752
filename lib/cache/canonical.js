'use strict'

const { Buffer } = require('node:buffer')
const { types } = require('node:util')

const { CinnabarError, argumentError } = require('../error.js')

const tagOf = Function.prototype.call.bind(Object.prototype.toString)

/**
 * A canonical text: the same for two values exactly if their contents are equal. The order of fields and parameters does not
 * matter, and undefined fields are ignored.
 *
 * Throws `E_INVALID_ARGUMENT` for values that cannot be compared by content: functions, symbols, instances of classes without
 * `toJSON`.
 */
function canonicalText(params) {
  try {
    return write(params, [])
  } catch (error) {
    if (error instanceof CinnabarError) throw error
    throw argumentError('params could not be read', error)
  }
}

function write(value, within) {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'bigint':
      return `${value}n`
    case 'boolean':
    case 'undefined':
      return String(value)
    case 'object':
      return value === null ? 'null' : writeObject(value, within)
    default:
      throw unequal(`a ${typeof value}`)
  }
}

function writeObject(value, within) {
  if (within.includes(value)) throw argumentError('params must not contain a cycle')
  within.push(value)
  const text = writeKind(value, (part) => write(part, within))
  within.pop()
  return text
}

function writeKind(value, write) {
  if (Array.isArray(value)) return `[${Array.from(value, write).join()}]`
  if (ArrayBuffer.isView(value)) return `${tagOf(value)}(${hex(value.buffer, value.byteOffset, value.byteLength)})`
  if (types.isAnyArrayBuffer(value)) return `ArrayBuffer(${hex(value)})`
  if (types.isDate(value)) return `Date(${Date.prototype.getTime.call(value)})`
  if (types.isRegExp(value)) return `RegExp(${JSON.stringify(String(value))})`
  if (types.isMap(value)) return `Map(${sorted([...value].map(([name, item]) => `${write(name)}:${write(item)}`))})`
  if (types.isSet(value)) return `Set(${sorted([...value].map(write))})`
  if (types.isBoxedPrimitive(value)) return `Object(${write(value.valueOf())})`
  const tag = tagOf(value).slice(8, -1)
  if (tag === 'URLSearchParams' || tag === 'Headers' || tag === 'FormData') return `${tag}(${pairs(value, write)})`
  if (tag === 'URL') return `URL(${JSON.stringify(value.href)})`
  if (isPlain(value) && typeof value.toJSON !== 'function') return fields(value, write)
  // An object with `toJSON` defines its own content.
  if (typeof value.toJSON === 'function') return `${String(value.constructor?.name)}(${write(value.toJSON())})`
  throw unequal('an instance of a class without toJSON')
}

function fields(value, write) {
  const symbols = Object.getOwnPropertySymbols(value)
  if (symbols.some((symbol) => Object.prototype.propertyIsEnumerable.call(value, symbol))) throw unequal('a symbol')
  const names = Object.keys(value).filter((name) => value[name] !== undefined)
  return `{${names
    .sort()
    .map((name) => `${JSON.stringify(name)}:${write(value[name])}`)
    .join()}}`
}

// The order of values under one name matters; the order of names does not.
function pairs(value, write) {
  const byName = [...value].sort(([one], [other]) => (one < other ? -1 : Number(one > other)))
  return byName.map(([name, item]) => `${write(name)}:${write(item)}`).join()
}

function sorted(texts) {
  return texts.sort().join()
}

function hex(buffer, from, length) {
  return Buffer.from(buffer, from, length).toString('hex')
}

// Also plain objects of other realms, such as those in test environments.
function isPlain(value) {
  const prototype = Object.getPrototypeOf(value)
  if (prototype === null || prototype === Object.prototype) return true
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf')
}

function unequal(what) {
  return argumentError(
    `params contains ${what}, which cannot be compared by content; pass its value as a string, number or plain object`,
  )
}

module.exports = { canonicalText }
