'use strict'

// The codec 'structured': JSON in which an object with a field `$` stands for what JSON lacks.

const { Buffer } = require('node:buffer')
const { types } = require('node:util')

const { CinnabarError } = require('../error.js')

const TAG = '$'
// Beyond that a value is a mistake, or a cycle.
const DEEPEST = 1000
const NUMBERS = new Map([
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['-0', -0],
])

/** By tag: whether a value is of it, what is written, and how it is read. `inner` does the same to what is in it. */
const KINDS = {
  date: { is: types.isDate, write: (date) => date.getTime(), read: (time) => new Date(time ?? NaN) },
  map: {
    is: types.isMap,
    write: (map, inner) => Array.from(map, ([key, value]) => [inner(key), inner(value)]),
    read: (entries, inner) => new Map(entries.map(([key, value]) => [inner(key), inner(value)])),
  },
  set: {
    is: types.isSet,
    write: (set, inner) => Array.from(set, inner),
    read: (values, inner) => new Set(values.map(inner)),
  },
  bytes: {
    is: types.isUint8Array,
    write: ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength).toString('base64'),
    read: (text) => Buffer.from(text, 'base64'),
  },
  regexp: {
    is: types.isRegExp,
    write: ({ source, flags }) => [source, flags],
    read: ([source, flags]) => new RegExp(source, flags),
  },
  url: { is: (value) => value instanceof URL, write: ({ href }) => href, read: (href) => new URL(href) },
}

/** A value as something of which JSON keeps all. Throws a `TypeError` for what it cannot have. */
function encode(value) {
  return encoded(value, 0)
}

function encoded(value, depth) {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number')
    return isPlain(value) ? value : tagged('number', Object.is(value, -0) ? '-0' : `${value}`)
  if (value === undefined) return tagged('undefined')
  if (typeof value === 'bigint') return tagged('bigint', `${value}`)
  if (typeof value !== 'object') throw new TypeError(`a ${typeof value} cannot be stored`)
  if (depth > DEEPEST) throw new TypeError('the value refers to itself, or is too deep')
  const inner = (field) => encoded(field, depth + 1)
  // By an iterator, holes are undefined.
  if (Array.isArray(value)) return Array.from(value, inner)
  for (const [name, { is, write }] of Object.entries(KINDS)) if (is(value)) return tagged(name, write(value, inner))
  return encodedObject(value, inner)
}

function encodedObject(value, inner) {
  const prototype = Object.getPrototypeOf(value)
  // Plain, in whatever realm.
  if (prototype !== null && !Object.hasOwn(prototype, 'isPrototypeOf')) {
    throw new TypeError(`an instance of ${value.constructor?.name ?? 'a class'} cannot be stored; store its fields`)
  }
  const fields = Object.fromEntries(Object.entries(value).map(([name, field]) => [name, inner(field)]))
  return Object.hasOwn(fields, TAG) ? tagged('object', fields) : fields
}

function isPlain(number) {
  return Number.isFinite(number) && !Object.is(number, -0)
}

function tagged(name, value) {
  return { [TAG]: name, v: value }
}

/** The value of what `encode` returned. Throws `E_INVALID_DATA` for anything else. */
function decode(stored) {
  try {
    return decoded(stored)
  } catch (error) {
    throw new CinnabarError('the stored value is not of the codec structured', { code: 'E_INVALID_DATA', cause: error })
  }
}

function decoded(stored) {
  if (typeof stored !== 'object' || stored === null) return stored
  if (Array.isArray(stored)) return stored.map(decoded)
  if (!Object.hasOwn(stored, TAG)) return fieldsOf(stored)
  const { [TAG]: name, v: value } = stored
  if (name === 'undefined') return undefined
  if (name === 'bigint') return BigInt(value)
  if (name === 'object') return fieldsOf(value)
  if (name === 'number' && NUMBERS.has(value)) return NUMBERS.get(value)
  if (typeof name === 'string' && Object.hasOwn(KINDS, name)) return KINDS[name].read(value, decoded)
  throw new TypeError('an unknown kind')
}

// `fromEntries` defines fields, so one with the name `__proto__` is one like any other.
function fieldsOf(stored) {
  return Object.fromEntries(Object.entries(stored).map(([name, field]) => [name, decoded(field)]))
}

module.exports = { decode, encode }
