'use strict'

const { types } = require('node:util')

const { argumentError } = require('./error.js')

// A prototype chain that is longer is a proxy's.
const LONGEST_CHAIN = 100
const LONGEST_MS = 2 ** 31
const UNIT = /^[A-Z][a-z]+$/

/**
 * The options of these names, each read once: a getter may throw or return something else the next time. They may be inherited, as
 * from a class with getters, but not from `Object.prototype`, which may be polluted. The result has no prototype. Throws for what is
 * no options object and for unknown names, which `within` stands before if the options belong to another one; `refuse` makes the
 * error for an option that cannot be read.
 */
function ownOptions(options, names, within = '', refuse = argumentError) {
  const own = { __proto__: null }
  if (options === undefined) return own
  const chain = checkedChain(options, names, within)
  for (const name of names) {
    try {
      if (isIn(chain, name)) own[name] = options[name]
    } catch (error) {
      throw refuse(`reading the option ${within}${name} threw`, error)
    }
  }
  return own
}

/**
 * Reads options as `ownOptions` does, of the names in a table of `option-names.js`, and the objects among them by its nested tables.
 * The result lacks what is `undefined`.
 */
function readOptions(options, table, { within = '', refuse } = {}) {
  const own = ownOptions(options, Object.keys(table), within, refuse)
  for (const [name, value] of Object.entries(own)) {
    if (value === undefined) delete own[name]
    else if (table[name] !== true && isGroup(value)) {
      own[name] = readOptions(value, table[name], { within: `${within}${name}.`, refuse })
    }
  }
  return own
}

// A revoked proxy is one too; reading it reports the error.
function isGroup(value) {
  return typeof value === 'object' && value !== null && !isArray(value)
}

/** `Array.isArray`, which throws for a revoked proxy. */
function isArray(value) {
  try {
    return Array.isArray(value)
  } catch {
    return false
  }
}

/** Whether an object has a field of this name, itself or from what it inherits, but for `Object.prototype`. */
function hasOption(options, name) {
  return isIn(chainOf(options), name)
}

function checkedChain(options, names, within) {
  let refused
  try {
    if (typeof options === 'object' && options !== null && !Array.isArray(options) && !types.isPromise(options)) {
      const chain = chainOf(options)
      refused = unknownIn(chain, names, within) ?? otherThanOptions(chain, names, within)
      if (!refused) return chain
    } else refused = argumentError(`${titleOf(within)} must be an object, got ${describe(options)}`)
  } catch (error) {
    // A proxy may throw whenever it is read.
    refused = argumentError(`${titleOf(within)} could not be read`, error)
  }
  throw refused
}

// The objects in which options are looked up: the one given, and what it inherits from, such as its class or its defaults. Not
// `Object.prototype`, of whatever realm, since that may be polluted.
function chainOf(options) {
  const chain = [options]
  for (let object = Object.getPrototypeOf(options); object !== null;) {
    const above = Object.getPrototypeOf(object)
    if (above === null && Object.hasOwn(object, 'isPrototypeOf')) return chain
    chain.push(object)
    if (chain.length > LONGEST_CHAIN) throw new RangeError('the prototypes have no end')
    object = above
  }
  return chain
}

function isIn(chain, name) {
  for (const object of chain) if (Object.hasOwn(object, name)) return true
  return false
}

function unknownIn(chain, names, within) {
  for (const object of chain) {
    for (const name of Object.keys(object)) {
      if (names.includes(name) || (object !== chain[0] && isMethod(object, name))) continue
      return unknownOption(name, names, within)
    }
  }
  return undefined
}

// The methods of a class that was compiled for old engines are enumerable. Read from the descriptor, since a getter is an option, to
// be read once.
function isMethod(object, name) {
  return typeof Object.getOwnPropertyDescriptor(object, name)?.value === 'function'
}

// An instance with no option at all is something else than options: a Map, a service.
function otherThanOptions(chain, names, within) {
  if (chain.length === 1 || names.some((name) => isIn(chain, name))) return undefined
  if (!chain.some((object, at) => at > 0 && Object.hasOwn(object, 'constructor'))) return undefined
  const wanted = `${titleOf(within)} must be an object with some of ${names.join(', ')}`
  return argumentError(`${wanted}, got an instance of a class with none of them`)
}

/** The elements of an array, each read once. Throws for what is no array or cannot be read; `of` says of what it is to be an array. */
function elementsOf(array, name, of = '') {
  if (!isArray(array)) throw argumentError(`${name} must be an array${of}, got ${describe(array)}`)
  try {
    return Array.from(array)
  } catch (error) {
    // A proxy may throw whenever it is read.
    throw argumentError(`${name} could not be read`, error)
  }
}

/** The same of strings. */
function stringsOf(array, name) {
  const elements = elementsOf(array, name)
  const wrong = elements.findIndex((element) => typeof element !== 'string')
  if (wrong < 0) return elements
  throw argumentError(`${name}[${wrong}] must be a string, got ${describe(elements[wrong])}`)
}

function titleOf(within) {
  return within === '' ? 'options' : within.replace(/\.$/, '')
}

function unknownOption(name, names, within) {
  const near = nearest(name, names)
  let hint = near ? `; did you mean "${within}${near}"?` : `; known options: ${names.join(', ')}`
  if (within === '' && (name === 'signal' || name === 'timeoutMs')) hint += `; limit calls by .with({ ${name} })`
  return argumentError(`unknown option "${within}${shorten(name)}"${hint}`)
}

/** Throws unless it is a function. */
function assertFunction(value, name) {
  if (typeof value !== 'function') throw argumentError(`${name} must be a function, got ${describe(value)}`)
}

/** Throws unless it is a valid number of milliseconds, at least `least`. */
function assertMilliseconds(value, name, least = 1) {
  if (typeof value === 'number' && value >= least && value <= LONGEST_MS) return
  throw argumentError(`${name} must be a number of milliseconds from ${least} to 2^31, got ${describeNumber(value)}`)
}

/** A number itself, and of anything else its type: for options that are no secrets. */
function describeNumber(value) {
  return typeof value === 'number' ? String(value) : describe(value)
}

/** Describes the type of a value, never the value itself, which may be a secret. */
function describe(value) {
  if (value === null) return 'null'
  if (isArray(value)) return 'an array'
  if (types.isPromise(value)) return 'a promise: await it first'
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  return { undefined: 'undefined', object: 'an object' }[typeof value] ?? `a ${typeof value}`
}

function shorten(name) {
  return name.length > 40 ? `${name.slice(0, 40)}…` : name
}

function nearest(name, names) {
  if (name.length > 40) return undefined
  // Such as `ttlSeconds` for `ttl`.
  const withUnit = name !== '' && names.find((known) => known.startsWith(name) && UNIT.test(known.slice(name.length)))
  if (withUnit) return withUnit
  let best
  let least = Math.max(1, Math.floor(name.length / 2)) + 1
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < least) {
      best = candidate
      least = distance
    }
  }
  return best
}

function editDistance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substitution, row[j] + 1, next[j - 1] + 1))
    }
    row = next
  }
  return row[b.length]
}

module.exports = {
  assertFunction,
  assertMilliseconds,
  describe,
  describeNumber,
  elementsOf,
  hasOption,
  isArray,
  ownOptions,
  readOptions,
  stringsOf,
}
