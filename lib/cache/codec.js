'use strict'

const { CinnabarError, argumentError } = require('../error.js')
const { messageOf } = require('../json.js')
const { describe } = require('../options.js')
const structured = require('./structured.js')

const WANTED = "'json', 'structured' or an object with encode and decode"

// By the caller's object, so that caches with the same codec share their loads.
const known = new WeakMap()
let last = 0

/** How the values of a cache become JSON and are made from it again. `null` is always itself. */
class Codec {
  /** Another codec has another number. */
  id = ++last
  #encode
  #decode
  #isOurs

  constructor({ encode, decode }, isOurs = false) {
    this.#encode = encode
    this.#decode = decode
    this.#isOurs = isOurs
  }

  /** What is stored as JSON for a value, which `what` names. */
  encode(value, what) {
    if (value === null) return null
    let stored
    try {
      stored = this.#encode(value)
    } catch (error) {
      throw argumentError(`${what} cannot be encoded: ${messageOf(error)}`, error)
    }
    if (isThenable(stored)) throw argumentError(`${what} cannot be encoded: encode of the codec must return no promise`)
    return stored
  }

  /** The value of what was stored. */
  decode(stored) {
    if (stored === null) return null
    let value
    try {
      value = this.#decode(stored)
    } catch (error) {
      // What our own codec met may be in the text of its error.
      throw invalid('the stored value is not of the codec of this cache', this.#isOurs ? undefined : error)
    }
    if (isThenable(value)) throw invalid('decode of the codec must return no promise')
    return value
  }
}

const STRUCTURED = new Codec(structured, true)

/** The codec of the option, or `undefined` for plain JSON. */
function codecOf(option) {
  if (option === undefined || option === 'json') return undefined
  if (option === 'structured') return STRUCTURED
  if (typeof option !== 'object' || option === null) {
    throw argumentError(
      `codec must be ${WANTED}, got ${typeof option === 'string' ? 'another word' : describe(option)}`,
    )
  }
  if (!known.has(option)) known.set(option, new Codec(functionsOf(option)))
  return known.get(option)
}

function functionsOf(option) {
  const own = {}
  for (const name of ['encode', 'decode']) {
    let given
    try {
      given = option[name]
    } catch (error) {
      throw argumentError(`codec.${name} could not be read`, error)
    }
    if (typeof given !== 'function') throw argumentError(`codec.${name} must be a function, got ${describe(given)}`)
    own[name] = (value) => given.call(option, value)
  }
  return own
}

function invalid(message, cause) {
  return new CinnabarError(message, { code: 'E_INVALID_DATA', cause })
}

/** Whether a codec has returned a promise, which then is not an unhandled one if it rejects. */
function isThenable(value) {
  if (typeof value !== 'object' || value === null || typeof value.then !== 'function') return false
  Promise.resolve(value).catch(() => {})
  return true
}

module.exports = { codecOf }
