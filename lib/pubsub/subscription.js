'use strict'

/** An open subscription. */
class Subscription {
  #native
  #number
  #reader

  constructor(native, number, reader) {
    this.#native = native
    this.#number = number
    this.#reader = reader
  }

  async close() {
    this.#reader.close()
    await this.#native.unsubscribe(this.#number)
  }

  [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    return this.close()
  }

  // No handler is called after this, which is all that closing promises.
  [Symbol.dispose ?? Symbol.for('Symbol.dispose')]() {
    this.close().catch(() => {})
  }
}

/** A subscription without a handler: an async iterable of messages. Concurrent iterators share the messages between them. */
class MessageStream extends Subscription {
  #stream

  constructor(native, number, stream) {
    super(native, number, stream)
    this.#stream = stream
  }

  [Symbol.asyncIterator]() {
    return {
      next: () => this.#stream.next(),
      return: async (value) => {
        await this.close()
        return { done: true, value }
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }
}

module.exports = { MessageStream, Subscription }
