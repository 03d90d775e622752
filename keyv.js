'use strict'

const { EventEmitter } = require('node:events')

// For the default service.
require('./index.js')

const { toBytes } = require('./lib/adapter/bytes.js')
const { isHashed, nameOf } = require('./lib/adapter/key-names.js')
const { Texts } = require('./lib/adapter/texts.js')
const { argumentError } = require('./lib/error.js')
const { describe, ownOptions } = require('./lib/options.js')

const OPTIONS = ['service', 'prefix', 'namespace', 'scanCount']
const SEPARATOR = '::'
/** What strings and bytes begin with that are not JSON of Keyv: Keyv itself marks bytes like this within its JSON. */
const ESCAPE = ':'
const BYTES = ':base64:'
const METHODS = ['get', 'getMany', 'has', 'hasMany', 'set', 'setMany', 'delete', 'deleteMany', 'clear', 'disconnect', 'iterator'] // prettier-ignore

/** A storage adapter for Keyv 5 and 6: texts under `keyv:{namespace}::{key}`. */
class CinnabarKeyvStore extends EventEmitter {
  #texts
  // Keyv 6 asks for `capabilities`, and then says when values expire. Keyv 5 does not, and says after how long.
  #isKeyv6 = false

  constructor(options) {
    super()
    const { service, prefix = 'keyv:', namespace, scanCount } = ownOptions(options, OPTIONS)
    if (namespace !== undefined && typeof namespace !== 'string')
      throw argumentError(`namespace must be a string, got ${describe(namespace)}`)
    this.#texts = new Texts('keyv', { service, prefix, scanCount })
    this.namespace = namespace
    // Keyv 5 iterates only over the databases that it knows.
    this.opts = { dialect: 'redis', url: '' }
    // Each Keyv on this store listens to its errors.
    this.setMaxListeners(0)
  }

  get capabilities() {
    this.#isKeyv6 = true
    const methods = Object.fromEntries(METHODS.map((name) => [name, { exists: true, methodType: 'async' }]))
    return { compatible: true, store: 'keyvStorage', methods, expires: true }
  }

  async get(key) {
    try {
      return valueOf(await this.#texts.get(this.#nameOf(key)))
    } catch (error) {
      // Keyv 5 returns a miss, and reports nothing.
      if (!this.#isKeyv6) this.#report(error)
      throw error
    }
  }

  async getMany(keys) {
    return (await this.#texts.getAll(keys.map((key) => this.#nameOf(key)))).map(valueOf)
  }

  async has(key) {
    return (await this.#texts.get(this.#nameOf(key))) !== null
  }

  async hasMany(keys) {
    return (await this.#texts.getAll(keys.map((key) => this.#nameOf(key)))).map((text) => text !== null)
  }

  async set(key, value, time) {
    await this.#texts.set(this.#nameOf(key), textOf(value), this.#secondsOf(time))
    return true
  }

  async setMany(entries) {
    const results = await Promise.allSettled(
      entries.map(({ key, value, ttl, expires }) => this.set(key, value, this.#isKeyv6 ? expires : ttl)),
    )
    const failures = results.filter(({ status }) => status === 'rejected')
    if (failures.length > 0 && failures.length === results.length) throw failures[0].reason
    if (failures.length > 0) this.#report(failures[0].reason)
    return results.map(({ status }) => status === 'fulfilled')
  }

  async delete(key) {
    return this.#texts.remove(this.#nameOf(key))
  }

  async deleteMany(keys) {
    const deleted = await Promise.all(keys.map((key) => this.delete(key)))
    return this.#isKeyv6 ? deleted : deleted.some(Boolean)
  }

  async clear() {
    await this.#texts.clear(startOf(this.namespace))
  }

  async *iterator() {
    const start = startOf(this.namespace)
    if (start === '') this.#texts.assertOwnKeys('iterator')
    for await (const all of this.#texts.names(start)) {
      const names = all.filter((name) => !isHashed(name))
      const texts = await this.#texts.getAll(names)
      for (const [at, text] of texts.entries()) {
        if (text !== null) yield [names[at].slice(start.length), valueOf(text)]
      }
    }
  }

  // The service may be used by others.
  async disconnect() {}

  #nameOf(key) {
    return startOf(this.namespace) + nameOf(key)
  }

  /** In seconds from now; `undefined` for no end. */
  #secondsOf(time) {
    if (time === undefined || time === null || time === Infinity || (time === 0 && !this.#isKeyv6)) return undefined
    if (typeof time !== 'number' || Number.isNaN(time))
      throw argumentError(
        `${this.#isKeyv6 ? 'expires' : 'ttl'} must be a number of milliseconds, got ${describe(time)}`,
      )
    return Math.ceil(this.#isKeyv6 ? time - Date.now() : time) / 1000
  }

  #report(error) {
    if (this.listenerCount('error') > 0) this.emit('error', error)
  }
}

/**
 * What the names of a namespace begin with. No namespace is a part of another one: it has no separator, since the first of two colons is encoded.
 */
function startOf(namespace) {
  if (!namespace) return ''
  const encoded = (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  return namespace.replace(/%|:(?=:|$)|[\ud800-\udfff]/gu, encoded) + SEPARATOR
}

function textOf(value) {
  if (typeof value === 'string') return value.startsWith(ESCAPE) ? ESCAPE + value : value
  const bytes = toBytes(value)
  if (bytes) return BYTES + bytes.toString('base64')
  throw argumentError(`the value must be a string or bytes, got ${describe(value)}: leave the serialization of Keyv on`)
}

function valueOf(text) {
  if (text === null) return undefined
  if (text.startsWith(BYTES)) return Buffer.from(text.slice(BYTES.length), 'base64')
  return text.startsWith(ESCAPE) ? text.slice(ESCAPE.length) : text
}

module.exports = { CinnabarKeyvStore }
