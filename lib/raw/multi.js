'use strict'

const { argumentError } = require('../error.js')
const { ownOptions } = require('../options.js')
const { addCommands, assertCommand, buffersOf, toCommand } = require('./commands.js')

// Flags for the native side: whether the command is a documented one or any other, and whether its reply is returned as
// Buffers.
const DOCUMENTED = 0
const ANY = 1
const IN_BYTES = 2

/** Commands collected to run as one transaction. Nothing is sent before `exec()`, and no other command runs in between. */
class Multi {
  #open
  #commands = []
  #error = null
  #done = false

  /** `open` returns the native service. */
  constructor(open) {
    this.#open = open
  }

  async exec() {
    if (this.#done) throw argumentError('this transaction has already run; start a new one with multi()')
    this.#done = true
    // With an invalid argument in any of its commands, the transaction is not sent.
    if (this.#error) throw this.#error
    return this.#commands.length === 0 ? [] : this.#open().transaction(this.#commands)
  }

  sendCommand(args, options) {
    return this.#collect(() => {
      assertCommand(args)
      return [ANY + (buffersOf(ownOptions(options, ['buffers'])) ? IN_BYTES : 0), ...args]
    })
  }

  #collect(make) {
    try {
      this.#commands.push(make())
    } catch (error) {
      this.#error ??= error
    }
    return this
  }

  static {
    addCommands(
      Multi,
      (name, buffers) =>
        function (...args) {
          return this.#collect(() => {
            const [command, wire] = toCommand(name, args)
            return [DOCUMENTED + (buffers ? IN_BYTES : 0), command, ...wire]
          })
        },
    )
  }
}

module.exports = { Multi }
