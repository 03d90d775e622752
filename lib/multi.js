'use strict'

const { BUFFER_COMMANDS, COMMANDS, assertCommand, toCommand, wantsBuffers } = require('./commands.js')
const { argumentError } = require('./error.js')

// What a command is to the native side: a documented one or any other, answered in strings or in bytes.
const DOCUMENTED = 0
const ANY = 1
const IN_BYTES = 2

/** Commands collected to run as one transaction: nothing is sent before `exec()`, and nobody else's comes between. */
class Multi {
  #open
  #commands = []
  #refused = null
  #done = false

  /** `open` answers the native service. */
  constructor(open) {
    this.#open = open
  }

  async exec() {
    if (this.#done) throw argumentError('this transaction has already run; begin another with multi()')
    this.#done = true
    // A bad argument anywhere means that nothing at all is sent.
    if (this.#refused) throw this.#refused
    return this.#commands.length === 0 ? [] : this.#open().transaction(this.#commands)
  }

  sendCommand(args, options) {
    return this.#collect(() => {
      assertCommand(args)
      return [ANY + (wantsBuffers(options) ? IN_BYTES : 0), ...args]
    })
  }

  #collect(make) {
    try {
      this.#commands.push(make())
    } catch (error) {
      this.#refused ??= error
    }
    return this
  }

  static {
    const define = (method, name, kind) => {
      const value = function (...args) {
        return this.#collect(() => {
          const [command, wire] = toCommand(name, args)
          return [kind, command, ...wire]
        })
      }
      Object.defineProperty(value, 'name', { value: method })
      Object.defineProperty(Multi.prototype, method, { value, configurable: true, writable: true })
    }
    for (const name of Object.keys(COMMANDS)) define(name, name, DOCUMENTED)
    for (const name of BUFFER_COMMANDS) define(`${name}Buffer`, name, DOCUMENTED + IN_BYTES)
  }
}

module.exports = { Multi }
