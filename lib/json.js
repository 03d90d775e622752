'use strict'

const { types } = require('node:util')

const { argumentError } = require('./error.js')
const { describe } = require('./options.js')

// Captured when the module loads, like every global that the result depends on.
const { parse, stringify } = JSON
const { getPrototypeOf, hasOwn, keys } = Object
const tagOf = Function.prototype.call.bind(Object.prototype.toString)

// Objects whose content JSON does not show, apart from properties added from outside.
const KINDS = [
  [types.isMap, 'a Map'],
  [types.isSet, 'a Set'],
  [types.isWeakMap, 'a WeakMap'],
  [types.isWeakSet, 'a WeakSet'],
  [types.isRegExp, 'a RegExp'],
  [types.isPromise, 'a Promise'],
  [types.isGeneratorObject, 'a generator'],
  [types.isBigIntObject, 'a BigInt'],
  [types.isSymbolObject, 'a symbol'],
  [isBytes, 'binary data'],
  [(value) => types.isNativeError(value) || value instanceof Error, 'an Error'],
]
// Deeper values take the slow path.
const DEEPEST_SIMPLE = 100
const ADVICE = 'convert it to a string, an array or a plain object first'
const CLASSES = ['Blob', 'File', 'FormData', 'Headers', 'ReadableStream', 'Request', 'Response', 'URLSearchParams']

/**
 * The JSON of a value, used for everything that is stored or sent. Same as `JSON.stringify`: dates become strings, undefined
 * fields and methods are omitted, and the result is `undefined` for `undefined`, functions and symbols. Throws where JSON would
 * lose contents or put `{}` or `null` in their place, and says where in the value: binary data, Map, Set, RegExp, Error, Promise,
 * instances without fields that JSON shows, functions and symbols in arrays, and a `toJSON` that returns none of what JSON has.
 */
function toJson(value) {
  return isSimpleField(value, 0) ? stringify(value) : checked(value)
}

/** The same for what a caller's function returned; throws `E_INVALID_ARGUMENT`, beginning with `what`, if it has no JSON. */
function jsonOf(value, what) {
  let text
  try {
    text = toJson(value)
  } catch (error) {
    throw argumentError(`${what} cannot be written as JSON: ${messageOf(error)}`, error)
  }
  if (text === undefined) throw argumentError(`${what} cannot be written as JSON: it is ${describe(value)}`)
  return text
}

/** The text of what a caller's function or getter threw, which may be anything. */
function messageOf(error) {
  try {
    return String(error?.message ?? error)
  } catch {
    return 'it threw'
  }
}

/** Parses JSON. */
function fromJson(text) {
  return parse(text)
}

// Whether nothing of it can be lost. Much faster than a replacer, and true of most values. JSON.stringify itself finds cycles.
function isSimple(value, depth) {
  if (depth > DEEPEST_SIMPLE || typeof value.toJSON === 'function') return false
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (!isSimpleItem(value[i], depth)) return false
    return true
  }
  const prototype = getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  for (const name in value) if (hasOwn(value, name) && !isSimpleField(value[name], depth)) return false
  return true
}

function isSimpleItem(item, depth) {
  return typeof item !== 'function' && typeof item !== 'symbol' && isSimpleField(item, depth)
}

function isSimpleField(field, depth) {
  if (typeof field === 'object' && field !== null) return isSimple(field, depth + 1)
  return typeof field === 'function' ? typeof field.toJSON !== 'function' : typeof field !== 'bigint'
}

// Checks exactly what is written, which getters, proxies and `toJSON` may make anew at each read.
function checked(value) {
  const path = new Path()
  return stringify(value, function (name, field) {
    path.enter(this, name)
    const what = lost(field, this, name)
    if (what) throw new TypeError(`${what} has no JSON form${path.text}; ${ADVICE}`)
    if (typeof field === 'object' && field !== null) path.open(field)
    return field
  })
}

/** What JSON would lose of a field, in words; `field` is what its `toJSON` returned if it has one. */
function lost(field, holder, name) {
  if (typeof field === 'bigint') return 'a BigInt'
  if (typeof field === 'object' && field !== null) return lostObject(field, holder, name)
  if (field !== undefined && typeof field !== 'function' && typeof field !== 'symbol') return undefined
  // JSON omits such fields, but writes null for them in an array.
  const what = field === undefined ? 'undefined' : `a ${typeof field}`
  if (typeof holder[name] === 'object' && holder[name] !== null) return `${what} returned by toJSON`
  return field !== undefined && Array.isArray(holder) ? what : undefined
}

function lostObject(value, holder, name) {
  if (Array.isArray(value)) return undefined
  // A Buffer has a toJSON of its own.
  if (value.type === 'Buffer' && value !== holder[name] && isBytes(holder[name])) return 'binary data'
  const prototype = getPrototypeOf(value)
  if (prototype === null || prototype === Object.prototype) return undefined
  const kind = KINDS.find(([is]) => is(value))
  if (kind) return kind[1]
  const tag = tagOf(value).slice(8, -1)
  if (CLASSES.includes(tag) && isInstance(value, globalThis[tag])) return `a ${tag}`
  if (shows(value) || (tag === 'Object' && isPlain(value))) return undefined
  return tag === 'Object' ? `an instance of ${nameOf(value)} without own fields` : `a ${tag}`
}

function isBytes(value) {
  return ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)
}

function isInstance(value, Class) {
  return typeof Class === 'function' && value instanceof Class
}

/** Whether JSON shows a field of it, or all there is to it. */
function shows(value) {
  if (types.isBoxedPrimitive(value)) return true
  return keys(value).some((name) => typeof value[name] !== 'function' && typeof value[name] !== 'symbol')
}

/** Whether an object that shows nothing is of no class, in whatever realm, and inherits no fields. */
function isPlain(value) {
  for (const name in value) {
    if (!(name in Object.prototype) && !hasOwn(value, name) && typeof value[name] !== 'function') return false
  }
  const { constructor } = value
  return typeof constructor !== 'function' || hasOwn(Object(constructor.prototype), 'isPrototypeOf')
}

function nameOf({ constructor }) {
  const name = typeof constructor === 'function' ? constructor.name : undefined
  return typeof name === 'string' && name !== '' ? name.slice(0, 40) : 'a class'
}

// Other names are probably data, such as the ids of what is in a table.
const NAME = /^[a-z_$][\w$]{0,39}$/i

/** Where in a value JSON.stringify is. */
class Path {
  #holders = []
  #names = []
  #depth = 0
  #name

  enter(holder, name) {
    while (this.#depth > 0 && this.#holders[this.#depth - 1] !== holder) this.#depth--
    this.#name = name
  }

  open(holder) {
    this.#names[this.#depth] = this.#name
    this.#holders[this.#depth++] = holder
  }

  get text() {
    // The first name is that of the whole value, which is empty.
    const names = this.#depth === 0 ? [] : [...this.#names.slice(1, this.#depth), this.#name]
    const steps = names.map((name, at) => {
      if (Array.isArray(this.#holders[at])) return `[${name}]`
      return NAME.test(name) ? `.${name}` : '[…]'
    })
    const text = steps.join('').replace(/^\./, '')
    return text === '' ? '' : ` (at ${text.length > 80 ? `${text.slice(0, 80)}…` : text})`
  }
}

module.exports = { fromJson, jsonOf, messageOf, toJson }
