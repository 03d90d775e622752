'use strict'

const { now } = require('../clock.js')
const { NearCopy } = require('./copy.js')

const { now: wallTime } = Date
// Where the shared memory has what concerns all values; see near/words.rs.
const [UNTIL_STEADY, UNTIL_WALL, GENERATION, TAG_CHANGES] = [0, 1, 2, 3]
// The memory of a copy besides its key and its value, in bytes.
const PER_COPY = 256
// How often it is checked, in milliseconds, that both clocks show the same: while the machine is suspended, the steady one may stand still.
const CHECK_WALL_EVERY = 1
const DRIFT_MS = 50

/** The copies of near values that this thread has made, which it checks to be right without a call. */
class NearTier {
  #native
  #codec
  #words
  #offset = 0
  #drift = 0
  #checkWallAt = 0
  #mostOfHalf
  // When the younger half is full, it replaces the older one.
  #young = new Map()
  #old = new Map()
  #youngBytes = 0
  #confirming
  hits = 0

  constructor(native, maxBytes, codec) {
    this.#native = native
    this.#codec = codec
    this.#mostOfHalf = maxBytes / 4
  }

  /** Returns the copy of a value that is near, and right: because changes are known until now, or because that was confirmed. */
  find(key, isConfirmed) {
    const known = this.#known(key)
    if (known !== undefined && this.#isRight(known, isConfirmed)) return known
    const found = this.#native.nearCopy(key, known?.id ?? 0, isConfirmed)
    return found && this.#copied(key, known, found)
  }

  /** Does the same without a confirmation, and counts it as a hit. */
  hit(key) {
    const copy = this.find(key, false)
    if (copy !== undefined) this.hits++
    return copy
  }

  /** Returns a promise of the value: a copy of a near one, or the result of the call that has been made for it. */
  get(key) {
    const known = this.#known(key)
    if (known !== undefined && this.#isRight(known, false)) return this.#hit(known)
    const found = this.#native.getNear(key, known?.id ?? 0)
    // Not a promise by its class: tests may run in a realm with other ones.
    if (!Array.isArray(found)) return found
    const copy = this.#copied(key, known, found)
    return copy === undefined ? this.#native.get(key) : this.#hit(copy)
  }

  #hit(copy) {
    this.hits++
    return this.#codec ? new Promise((resolve) => resolve(copy.fresh())) : Promise.resolve(copy.fresh())
  }

  /** Returns for how many milliseconds a copy is still fresh, and was when it was stored, if that is known. */
  timeOf({ until, lifeMs }) {
    return { freshMs: until - (now() - this.#offset), lifeMs }
  }

  /** Forgets all copies: their service is being disconnected. */
  forgetAll() {
    this.#young.clear()
    this.#old.clear()
    this.#youngBytes = 0
  }

  /** Resolves to whether all changes are known that were acknowledged before this call. Calls of one turn share a confirmation. */
  confirm() {
    this.#confirming ??= Promise.resolve().then(() => {
      this.#confirming = undefined
      return this.#native.nearConfirm()
    })
    return this.#confirming
  }

  #known(key) {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.#insert(key, old)
    return old
  }

  #isRight(copy, isConfirmed) {
    const words = this.#words
    if (words === null || words[copy.position] !== copy.cell || words[GENERATION] !== copy.generation) return false
    if (copy.tagChanges >= 0 && words[TAG_CHANGES] !== copy.tagChanges) return false
    const steady = now() - this.#offset
    if (steady >= copy.until || !(isConfirmed || steady < words[UNTIL_STEADY])) return false
    return steady < this.#checkWallAt || this.#isAwake(steady, isConfirmed)
  }

  /** Whether the wall clock agrees that no more time has passed; if not, no copy counts any more. */
  #isAwake(steady, isConfirmed) {
    const wall = wallTime()
    if (!isConfirmed && wall >= this.#words[UNTIL_WALL]) return false
    if (Math.abs(wall - steady - this.#drift) > DRIFT_MS) {
      this.#drift = wall - steady
      this.forgetAll()
      return false
    }
    this.#checkWallAt = steady + CHECK_WALL_EVERY
    return true
  }

  /** Returns `undefined` for what is no JSON, for which the call itself has an error. */
  #copied(key, known, [json, id, position, cell, generation, tagChanges, left, lifeMs]) {
    this.#openWords(generation)
    const copy = json === null ? known : newCopy(id, json, lifeMs, this.#codec)
    if (copy === undefined) return undefined
    copy.renew(position, cell, generation, tagChanges, now() - this.#offset + left)
    this.#insert(key, copy)
    return copy
  }

  // A service that was disconnected may have another near tier now.
  #openWords(generation) {
    // Null where memory cannot be shared: then every copy is checked by a call.
    if (this.#words === null || this.#words?.[GENERATION] === generation) return
    this.forgetAll()
    const before = now()
    this.#offset = before - this.#native.nearTime()
    this.#drift = wallTime() - (before - this.#offset)
    this.#words = this.#native.nearWords()
  }

  #insert(key, copy) {
    if (this.#young.get(key) === copy) return
    const bytes = PER_COPY + key.length + copy.bytes
    if (this.#youngBytes + bytes > this.#mostOfHalf) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngBytes = 0
    }
    this.#young.set(key, copy)
    this.#youngBytes += bytes
  }
}

function newCopy(id, json, lifeMs, codec) {
  try {
    return new NearCopy(id, json, lifeMs, codec)
  } catch {
    return undefined
  }
}

module.exports = { NearTier }
