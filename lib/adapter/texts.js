'use strict'

const { CinnabarError, argumentError } = require('../error.js')
const { describe } = require('../options.js')
const { allNames } = require('./names.js')
const { adapterOn } = require('./native.js')

const LONGEST_SECONDS = 3_155_760_000
/** Texts are read and deleted in parts, so that a long list neither fills the memory nor keeps the server busy. */
const AT_ONCE = 1000

/** The texts of another library under a prefix, whose errors name its operations. */
class Texts {
  #parts
  #title
  #scanCount

  /** `library` is the name of the library: others must not have the same keys. `scanCount` is how many keys the server visits at once. */
  constructor(library, { service, prefix, scanCount = 100 }) {
    if (typeof prefix !== 'string') throw argumentError(`prefix must be a string, got ${describe(prefix)}`)
    if (!(Number.isInteger(scanCount) && scanCount >= 1 && scanCount <= 1_000_000)) {
      throw argumentError('scanCount must be a whole number from 1 to 1000000')
    }
    this.prefix = prefix
    this.#title = library.toUpperCase()
    this.#scanCount = scanCount
    this.#parts = adapterOn(service, library, prefix)
  }

  /** Resolves to a text, or `null`. */
  get(name) {
    return this.#named('GET', this.#native.get(name))
  }

  /** The same of many; what is no text is `null`, too, as with MGET. */
  getAll(names) {
    return Promise.all(
      names.map((name) =>
        this.get(name).catch((error) => {
          if (error?.code === 'E_WRONG_TYPE') return null
          throw error
        }),
      ),
    )
  }

  /** Stores a text; with a ttl of so many seconds, unless it is `undefined`. What has expired already is deleted. */
  async set(name, text, seconds) {
    if (typeof seconds === 'number' && seconds <= 0) await this.remove(name)
    else await this.#named('SET', this.#native.set(name, text, seconds && Math.min(seconds, LONGEST_SECONDS)))
  }

  /** Deletes a text; resolves to whether there was one. */
  async remove(name) {
    return (await this.#named('DELETE', this.#native.remove([name]))) > 0
  }

  /** All names that begin with `start`, each once, by parts. */
  async *names(start, operation = 'LIST') {
    const found = allNames(this.#native, this.#scanCount)
    for (;;) {
      const { done, value } = await this.#named(operation, found.next())
      if (done) return
      const names = value.filter((name) => name.startsWith(start))
      for (let at = 0; at < names.length; at += AT_ONCE) yield names.slice(at, at + AT_ONCE)
    }
  }

  /** Deletes all texts whose names begin with `start`. */
  async clear(start) {
    if (start !== '') {
      for await (const names of this.names(start, 'CLEAR')) await this.#named('CLEAR', this.#native.remove(names))
      return
    }
    this.assertOwnKeys('clear')
    let cursor = '0'
    do cursor = await this.#named('CLEAR', this.#native.clear(cursor, this.#scanCount))
    while (cursor !== '0' && cursor !== null)
  }

  /** Throws if all keys of the database are under the prefix. */
  assertOwnKeys(operation) {
    if (this.prefix !== '') return
    throw argumentError(`${operation} is for all keys of the database here: use a namespace, a base or a prefix`)
  }

  get #native() {
    return this.#parts.native
  }

  // The native class is that of the stores of sessions.
  async #named(operation, promise) {
    try {
      return await promise
    } catch (error) {
      if (error instanceof CinnabarError && error.command !== undefined) error.command = `${this.#title} ${operation}`
      throw error
    }
  }
}

module.exports = { Texts }
