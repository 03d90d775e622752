'use strict'

const { COMMANDS, toCommand } = require('./commands.js')
const { argumentError } = require('./error.js')
const { handleWithin } = require('./handle.js')
const { Parts, bind, limitsWithin } = require('./limits.js')
const { Multi } = require('./multi.js')

/** The commands themselves, named and shaped as node-redis has them. Keys go out as they are. */
class RawClient {
  #native
  #limits

  constructor(native, limits) {
    if (native instanceof Parts) ({ native, limits } = native)
    this.#native = native
    this.#limits = limits
  }

  with(options) {
    const limits = limitsWithin(this.#limits, options)
    return bind(RawClient, this, { native: handleWithin(this.#native, limits), limits })
  }

  get isReady() {
    return this.#native.isConnected
  }

  multi() {
    return new Multi(this.#native)
  }

  async sendCommand(args) {
    if (!Array.isArray(args) || typeof args[0] !== 'string')
      throw argumentError('sendCommand takes an array: the name of the command, then its arguments')
    return this.#native.custom(args)
  }

  static {
    for (const name of Object.keys(COMMANDS)) {
      define(RawClient, name, function (...args) {
        try {
          const [command, wire] = toCommand(name, args)
          return this.#native.command(command, wire)
        } catch (error) {
          return Promise.reject(error)
        }
      })
    }
  }
}

function define(Class, name, method) {
  Object.defineProperty(method, 'name', { value: name })
  Object.defineProperty(Class.prototype, name, { value: method, configurable: true, writable: true })
}

module.exports = { RawClient }
