'use strict'

const { now } = require('../clock.js')
const { fromJson } = require('../json.js')
const { deepFreeze } = require('./deep-freeze.js')

const { now: wallTime } = Date
// Where the shared memory has what concerns all values; see near/words.rs.
const [UNTIL_STEADY, UNTIL_WALL, GENERATION, TAG_CHANGES] = [0, 1, 2, 3]
// The memory of a copy besides its key and its JSON, in bytes.
const PER_COPY = 256
const UNPARSED = Symbol('unparsed')
// In place of a copy: the key was read, but its value was not near, or is not any more.
const NOT_COPIED = Object.freeze({ id: 0 })

/** The copies of near values that this thread has made, which it checks to be right without a call. */
class NearTier {
  #native
  #words
  #offset
  #mostOfHalf
  // When the younger half is full, it replaces the older one.
  #young = new Map()
  #old = new Map()
  #youngBytes = 0
  #confirming
  hits = 0

  constructor(native, maxBytes) {
    this.#native = native
    this.#mostOfHalf = maxBytes / 4
  }

  /** Returns the copy of a value that is near, and right: because changes are known until now, or because that was confirmed. */
  find(key, isConfirmed) {
    const known = this.#young.get(key) ?? this.#old.get(key) ?? NOT_COPIED
    if (known !== NOT_COPIED && this.#isRight(known)) return known
    return this.#ask(key, known, isConfirmed)
  }

  /** The same for a key that the caller reads if it is not near: the first time that this thread reads a key, it is not even looked for. */
  findAgain(key, isConfirmed) {
    const known = this.#young.get(key) ?? this.#old.get(key)
    if (known === undefined) {
      this.#insert(key, NOT_COPIED, 0)
      return undefined
    }
    if (known !== NOT_COPIED && this.#isRight(known)) return known
    return this.#ask(key, known, isConfirmed)
  }

  /** Resolves to whether all changes are known that were acknowledged before this call. Calls of one turn share a confirmation. */
  confirm() {
    this.#confirming ??= Promise.resolve().then(() => {
      this.#confirming = undefined
      return this.#native.nearConfirm()
    })
    return this.#confirming
  }

  #isRight({ position, cell, generation, tagChanges, until, untilWall }) {
    const words = this.#words
    if (words === null || words[position] !== cell || words[GENERATION] !== generation) return false
    if (tagChanges >= 0 && words[TAG_CHANGES] !== tagChanges) return false
    const steady = now() - this.#offset
    if (steady >= until || steady >= words[UNTIL_STEADY]) return false
    // While the machine is suspended, the steady clock may stand still.
    const wall = wallTime()
    return wall < untilWall && wall < words[UNTIL_WALL]
  }

  #ask(key, known, isConfirmed) {
    const found = this.#native.nearCopy(key, known.id, isConfirmed)
    if (found === undefined) {
      if (known !== NOT_COPIED) this.#insert(key, NOT_COPIED, 0)
      return undefined
    }
    const [json, id, position, cell, generation, tagChanges, left] = found
    this.#openWords(generation)
    const copy = json === null ? known : { id, json, value: UNPARSED }
    Object.assign(copy, { position, cell, generation, tagChanges })
    copy.until = now() - this.#offset + left
    copy.untilWall = wallTime() + left
    this.#insert(key, copy, copy.json.length)
    return copy
  }

  // A service that was disconnected may have another near tier now.
  #openWords(generation) {
    if (this.#words?.[GENERATION] === generation) return
    const before = now()
    this.#offset = before - this.#native.nearTime()
    this.#words = this.#native.nearWords()
  }

  #insert(key, copy, length) {
    if (this.#young.get(key) === copy) return
    const bytes = PER_COPY + key.length + length
    if (this.#youngBytes + bytes > this.#mostOfHalf) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngBytes = 0
    }
    this.#old.delete(key)
    this.#young.set(key, copy)
    this.#youngBytes += bytes
  }
}

/** The object that all callers of this thread share, frozen. */
function sharedValue(copy) {
  if (copy.value === UNPARSED) copy.value = deepFreeze(fromJson(copy.json))
  return copy.value
}

/** An object of the caller's own. */
function freshValue(copy) {
  return fromJson(copy.json)
}

module.exports = { NearTier, freshValue, sharedValue }
