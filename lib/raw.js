'use strict'

const { Limitable, partsOf, readCall } = require('./limitable.js')
const { nativeWithin } = require('./native-service.js')
const { addCommands, assertCommand, buffersOf, toCommand } = require('./raw/commands.js')
const { Multi } = require('./raw/multi.js')

const OPTIONS = ['buffers']

/** How a client reaches the native service: `open()` returns it, and `isReady()` does not create it. */
class ClientParts {
  constructor(open, isReady) {
    this.open = open
    this.isReady = isReady
  }

  within(limits) {
    let native
    return new ClientParts(() => (native ??= nativeWithin(this.open(), limits)), this.isReady)
  }
}

/** Raw Redis commands, with the names and signatures of node-redis. Keys are sent unchanged, without a prefix. */
class RawClient extends Limitable {
  constructor(parts, limits) {
    super(parts, () => ({ parts, limits }))
  }

  get isReady() {
    return partsOf(this).isReady()
  }

  multi() {
    return new Multi(partsOf(this).open)
  }

  async sendCommand(args, options) {
    assertCommand(args)
    const [client, own] = readCall(this, options, OPTIONS)
    return partsOf(client).open().custom(args, buffersOf(own))
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
    addCommands(
      RawClient,
      (name, buffers) =>
        function (...args) {
          try {
            const [command, wire] = toCommand(name, args)
            return partsOf(this).open().command(command, wire, buffers)
          } catch (error) {
            return Promise.reject(error)
          }
        },
    )
  }
}

module.exports = { ClientParts, RawClient }
