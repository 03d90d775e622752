'use strict'

const { CinnabarError, argumentError } = require('../error.js')
const { describe, ownOptions } = require('../options.js')
const structured = require('./structured.js')

const CODEC = ['encode', 'decode']
let last = 0

const WANTED = "'json', 'structured' or an object with encode and decode"

/** How the values of a cache become JSON and are made from it again. */
class Codec {
  /** Another codec has another number. */
  id = ++last
  #encode
  #decode

  constructor({ encode, decode }) {
    this.#encode = encode
    this.#decode = decode
  }

  /** What is stored as JSON for a value, which `what` names. */
  encode(value, what) {
    try {
      return this.#encode(value)
    } catch (error) {
      throw argumentError(`${what} cannot be encoded: ${messageOf(error)}`, error)
    }
  }

  /** The value of what was stored. Never called for a value that is missing. */
  decode(stored) {
    try {
      return this.#decode(stored)
    } catch (error) {
      if (error instanceof CinnabarError) throw error
      throw new CinnabarError('decode of the codec threw', { code: 'E_INVALID_DATA', cause: error })
    }
  }
}

const STRUCTURED = new Codec(structured)

/** The codec of the option, or `undefined` for plain JSON. */
function codecOf(option) {
  if (option === undefined || option === 'json') return undefined
  if (option === 'structured') return STRUCTURED
  if (typeof option !== 'object' || option === null) {
    throw argumentError(
      `codec must be ${WANTED}, got ${typeof option === 'string' ? 'another word' : describe(option)}`,
    )
  }
  const own = ownOptions(option, CODEC, 'codec.')
  for (const name of CODEC) {
    if (typeof own[name] !== 'function') {
      throw argumentError(`codec.${name} must be a function, got ${describe(own[name])}`)
    }
  }
  return new Codec(own)
}

// A caller's function may throw anything.
function messageOf(error) {
  try {
    return String(error?.message ?? error)
  } catch {
    return 'it threw'
  }
}

module.exports = { codecOf }
