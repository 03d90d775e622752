'use strict'

const { types } = require('node:util')

/** The bytes of a buffer or of a view of one, all of them; `undefined` for anything else. */
function toBytes(value) {
  if (types.isAnyArrayBuffer(value)) return Buffer.from(value)
  return ArrayBuffer.isView(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : undefined
}

module.exports = { toBytes }
