'use strict'

const { COMMANDS, toCommand } = require('./commands.js')
const { argumentError } = require('./error.js')

/** Commands collected to run as one transaction: nothing is sent before `exec()`, and nobody else's comes between. */
class Multi {
  #native
  #commands = []
  #refused = null
  #done = false

  constructor(native) {
    this.#native = native
  }

  async exec() {
    if (this.#done) throw argumentError('this transaction has already run; begin another with multi()')
    this.#done = true
    // A bad argument anywhere means that nothing at all is sent.
    if (this.#refused) throw this.#refused
    return this.#commands.length === 0 ? [] : this.#native.transaction(this.#commands)
  }

  #add(name, args) {
    try {
      const [command, wire] = toCommand(name, args)
      this.#commands.push([command, ...wire])
    } catch (error) {
      this.#refused ??= error
    }
    return this
  }

  static {
    for (const name of Object.keys(COMMANDS)) {
      const method = function (...args) {
        return this.#add(name, args)
      }
      Object.defineProperty(method, 'name', { value: name })
      Object.defineProperty(Multi.prototype, name, { value: method, configurable: true, writable: true })
    }
  }
}

module.exports = { Multi }
