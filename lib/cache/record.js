'use strict'

const { types } = require('node:util')

const { withBody } = require('../response-copy.js')
const { entryOf } = require('./stored-response.js')

/**
 * Reads a response of fetch. Resolves to `{ entry, response }`: what is stored of it, and, without an entry, a response with the same body. There
 * is no entry if the body has more than `maxBytes`, and nothing at all if `isAbandoned()`. `outer` is that of `entryOf`.
 */
async function record(response, maxBytes, isAbandoned, outer) {
  const chunks = []
  let length = 0
  const reader = response.body?.getReader()
  while (reader) {
    const { done, value } = await reader.read()
    if (done) break
    if (!types.isUint8Array(value)) throw new TypeError('the body of a response must be bytes')
    if (isAbandoned()) {
      reader.cancel().catch(() => {})
      return {}
    }
    chunks.push(value)
    length += value.byteLength
    if (length > maxBytes) return { response: withBody(response, resumed(chunks, reader)) }
  }
  return { entry: entryOf(response, Buffer.concat(chunks, length), outer) }
}

/** Returns a stream of the chunks that were read, and of the rest of the body. */
function resumed(chunks, reader) {
  return new ReadableStream({
    async pull(controller) {
      if (chunks.length > 0) return controller.enqueue(chunks.shift())
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

module.exports = { record }
