'use strict'

const { fromJson } = require('../json.js')
const { copyJson } = require('./copy-json.js')
const { deepFreeze } = require('./deep-freeze.js')
const { copyCost } = require('./copy-cost.js')

const NONE = Symbol('none')

/** A near value, and what shows that it is right. */
class NearCopy {
  // What callers get copies of, but never itself; the JSON where copying it is not worth it.
  #original
  #json
  #shared = NONE
  #codec

  /** Throws if it is no JSON, or not of the codec. */
  constructor(id, json, lifeMs, codec) {
    const value = fromJson(json)
    const { bytes, isCopyable: isCheap } = copyCost(value)
    const isCopyable = isCheap && !codec
    this.#codec = codec
    codec?.decode(value)
    this.id = id
    /** For how many milliseconds it was fresh when it was stored; 0 if that is not known. */
    this.lifeMs = lifeMs
    /** An estimate of the memory that it takes, with the object that callers share. */
    this.bytes = json.length + 2 * bytes
    this.#original = isCopyable ? value : NONE
    this.#json = isCopyable ? undefined : json
    this.renew(0, 0, 0, 0, 0)
  }

  /** It is right as long as these words say the same, until that time of the steady clock. */
  renew(position, cell, generation, tagChanges, until) {
    this.position = position
    this.cell = cell
    this.generation = generation
    this.tagChanges = tagChanges
    this.until = Math.floor(until)
  }

  /** The object that all callers of this thread share, frozen; of a codec, an object of the caller's own. */
  shared() {
    if (this.#codec) return this.fresh()
    if (this.#shared === NONE) this.#shared = deepFreeze(this.fresh())
    return this.#shared
  }

  /** An object of the caller's own. */
  fresh() {
    if (this.#original !== NONE) return copyJson(this.#original)
    const stored = fromJson(this.#json)
    return this.#codec ? this.#codec.decode(stored) : stored
  }
}

module.exports = { NearCopy }
