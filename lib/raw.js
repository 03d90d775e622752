'use strict'

const { bind, limitsWithin } = require('./call-options.js')
const { handleWithin } = require('./native-service.js')
const { BUFFER_COMMANDS, COMMANDS, assertCommand, toCommand, wantsBuffers } = require('./raw/commands.js')
const { Multi } = require('./raw/multi.js')

/** Raw Redis commands, with the names and signatures of node-redis. Keys are sent unchanged, without a prefix. */
class RawClient {
  #open
  #isReady
  #limits

  /** `parts`: `open()` returns the native service, `isReady()` does so without creating it, and `limits` apply to each call. */
  constructor(parts) {
    this.#open = parts.open
    this.#isReady = parts.isReady
    this.#limits = parts.limits
  }

  with(options) {
    const limits = limitsWithin(this.#limits, options)
    let native
    const open = () => (native ??= handleWithin(this.#open(), limits))
    return bind(RawClient, this, { open, isReady: this.#isReady, limits })
  }

  get isReady() {
    return this.#isReady()
  }

  multi() {
    return new Multi(this.#open)
  }

  async sendCommand(args, options) {
    assertCommand(args)
    return this.#open().custom(args, wantsBuffers(options))
  }

  // As with any SCAN, a key may be returned more than once. Empty pages are skipped.
  async *scanIterator(options) {
    let cursor = '0'
    do {
      const page = await this.scan(cursor, options)
      cursor = page.cursor
      if (page.keys.length > 0) yield page.keys
    } while (cursor !== '0')
  }

  static {
    const define = (method, name, buffers) => {
      const value = function (...args) {
        try {
          const [command, wire] = toCommand(name, args)
          return this.#open().command(command, wire, buffers)
        } catch (error) {
          return Promise.reject(error)
        }
      }
      Object.defineProperty(value, 'name', { value: method })
      Object.defineProperty(RawClient.prototype, method, { value, configurable: true, writable: true })
    }
    for (const name of Object.keys(COMMANDS)) define(name, name)
    for (const name of BUFFER_COMMANDS) define(`${name}Buffer`, name, true)
  }
}

module.exports = { RawClient }
