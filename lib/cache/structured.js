'use strict'

// The codec 'structured': JSON in which an object with a field `$` stands for what JSON lacks. Its errors show nothing of a value. `v8.serialize`
// has another form in each runtime, and none that other clients can read.

const { Buffer } = require('node:buffer')
const { types } = require('node:util')

const TAG = '$'
// Beyond that a value is a mistake, or a cycle.
const DEEPEST = 500
// Reading more takes seconds.
const MOST_DIGITS = 10_000
const BASE64 = /^[\d+/A-Za-z]*={0,2}$/
const DIGITS = /^-?\d+$/
const NUMBERS = new Map([
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['-0', -0],
])
const tagOf = Function.prototype.call.bind(Object.prototype.toString)

/**
 * By tag: whether a value is of it, what is written, whether something can have been written, and how it is read. `inner` does the same to what
 * is in it.
 */
const KINDS = {
  date: {
    is: types.isDate,
    write: (date) => date.getTime(),
    fits: (time) => time === null || Number.isInteger(time),
    read: (time) => new Date(time ?? NaN),
  },
  map: {
    is: types.isMap,
    write: (map, inner) => Array.from(map, ([key, value]) => [inner(key), inner(value)]),
    fits: (entries) => Array.isArray(entries) && entries.every((entry) => Array.isArray(entry) && entry.length === 2),
    read: (entries, inner) => new Map(entries.map(([key, value]) => [inner(key), inner(value)])),
  },
  set: {
    is: types.isSet,
    write: (set, inner) => Array.from(set, inner),
    fits: Array.isArray,
    read: (values, inner) => new Set(values.map(inner)),
  },
  bytes: {
    is: types.isUint8Array,
    write: ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength).toString('base64'),
    fits: (text) => typeof text === 'string' && text.length % 4 === 0 && BASE64.test(text),
    // With memory of its own, which a small `Buffer` lacks.
    read: (text) => Buffer.from(Uint8Array.from(Buffer.from(text, 'base64')).buffer),
  },
  regexp: {
    is: types.isRegExp,
    write: ({ source, flags }) => [source, flags],
    fits: (parts) => Array.isArray(parts) && parts.length === 2 && parts.every((part) => typeof part === 'string'),
    read: ([source, flags]) => new RegExp(source, flags),
  },
  url: {
    is: (value) => value instanceof URL,
    write: ({ href }) => href,
    fits: (href) => typeof href === 'string',
    read: (href) => new URL(href),
  },
}

/** A value as something of which JSON keeps all. Throws a `TypeError` for what it cannot have. */
function encode(value) {
  return encoded(value, 0)
}

function encoded(value, depth) {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') return encodedNumber(value)
  if (value === undefined) return tagged('undefined')
  if (typeof value === 'bigint') return encodedBigInt(value)
  if (typeof value !== 'object') throw new TypeError(`a ${typeof value} cannot be stored`)
  if (depth > DEEPEST) throw new TypeError('the value refers to itself, or is too deep')
  const inner = (field) => encoded(field, depth + 1)
  if (Array.isArray(value)) return encodedArray(value, inner)
  for (const [name, { is, write }] of Object.entries(KINDS)) {
    if (is(value)) return tagged(name, write(assertBare(value), inner))
  }
  return encodedObject(value, inner)
}

function encodedNumber(number) {
  if (Number.isFinite(number) && !Object.is(number, -0)) return number
  return tagged('number', number === 0 ? '-0' : `${number}`)
}

function encodedBigInt(number) {
  const digits = `${number}`
  if (digits.length > MOST_DIGITS) throw new TypeError(`a bigint has ${MOST_DIGITS} digits at most`)
  return tagged('bigint', digits)
}

function encodedArray(array, inner) {
  const last = Object.keys(array).at(-1)
  if (levelsOf(array) !== 1 || (last !== undefined && !(Number(last) < array.length))) throw unknown(array)
  // By an iterator, holes are undefined.
  return Array.from(array, inner)
}

function encodedObject(value, inner) {
  if (levelsOf(value) > 0 || tagOf(value) !== '[object Object]') throw unknown(value)
  const fields = Object.fromEntries(Object.entries(value).map(([name, field]) => [name, inner(field)]))
  return Object.hasOwn(fields, TAG) ? tagged('object', fields) : fields
}

/** Returns an instance of a class of JavaScript itself. Throws for one of another class, or with fields of its own, which would be lost. */
function assertBare(value) {
  const isBytes = types.isUint8Array(value)
  const levels = isBytes ? (Buffer.isBuffer(value) ? 3 : 2) : 1
  if (levelsOf(value) !== levels || (!isBytes && Object.keys(value).length > 0)) throw unknown(value)
  return value
}

/** How many prototypes are between a value and `Object.prototype`, of whatever realm, or null. */
function levelsOf(value) {
  let levels = 0
  let prototype = Object.getPrototypeOf(value)
  for (; prototype !== null && !Object.hasOwn(prototype, 'isPrototypeOf'); levels++) {
    prototype = Object.getPrototypeOf(prototype)
  }
  return levels
}

function unknown(value) {
  const name = Object.getPrototypeOf(value)?.constructor?.name
  const what = typeof name === 'string' && name !== '' && name !== 'Object' ? name.slice(0, 40) : 'a class'
  return new TypeError(`an instance of ${what} cannot be stored as it is: store its fields`)
}

function tagged(name, value) {
  return { [TAG]: name, v: value }
}

/** The value of what `encode` returned. Throws for anything else. */
function decode(stored) {
  if (typeof stored !== 'object' || stored === null) return stored
  if (Array.isArray(stored)) return stored.map(decode)
  if (!Object.hasOwn(stored, TAG)) return fieldsOf(stored)
  const { [TAG]: name, v: value } = stored
  if (name === 'undefined') return undefined
  if (name === 'bigint' && isDigits(value)) return BigInt(value)
  if (name === 'object' && isObject(value)) return fieldsOf(value)
  if (name === 'number' && NUMBERS.has(value)) return NUMBERS.get(value)
  const kind = typeof name === 'string' && Object.hasOwn(KINDS, name) ? KINDS[name] : undefined
  if (kind?.fits(value)) return kind.read(value, decode)
  throw new TypeError('not of this codec')
}

function isDigits(value) {
  return typeof value === 'string' && value.length <= MOST_DIGITS && DIGITS.test(value)
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// `fromEntries` defines fields, so one with the name `__proto__` is one like any other.
function fieldsOf(stored) {
  return Object.fromEntries(Object.entries(stored).map(([name, field]) => [name, decode(field)]))
}

module.exports = { decode, encode }
