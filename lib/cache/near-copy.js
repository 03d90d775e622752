'use strict'

const { fromJson } = require('../json.js')
const { copyJson, isCopyable } = require('./copy-json.js')
const { deepFreeze } = require('./deep-freeze.js')

const NONE = Symbol('none')

/** A near value, and what shows that it is right. */
class NearCopy {
  #json
  // What callers get copies of, but never itself.
  #original = NONE
  #shared = NONE

  constructor(id, json) {
    this.id = id
    this.length = json.length
    this.#json = json
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

  /** The object that all callers of this thread share, frozen. */
  shared() {
    if (this.#shared === NONE) this.#shared = deepFreeze(this.fresh())
    return this.#shared
  }

  /** An object of the caller's own. */
  fresh() {
    if (this.#original === NONE) {
      const value = fromJson(this.#json)
      if (!isCopyable(value)) return value
      this.#original = value
      this.#json = undefined
    }
    return copyJson(this.#original)
  }
}

module.exports = { NearCopy }
