'use strict'

const { createHash } = require('node:crypto')

const { argumentError } = require('../error.js')
const { describe } = require('../options.js')

/** The native side hashes longer names as a whole, so that they would no longer begin with their namespace. */
const LONGEST_BYTES = 1 << 15
const KEPT_CHARACTERS = 1000
const MARK = '%sha256:'
const HASHED = /%sha256:[0-9a-f]{64}$/

/**
 * Returns the name under which a key of any text is stored: itself, or its beginning and a hash if it is too long or cannot be UTF-8. Different keys
 * have different names.
 */
function nameOf(key) {
  if (typeof key !== 'string') throw argumentError(`key must be a string, got ${describe(key)}`)
  if (key.isWellFormed() && !HASHED.test(key) && !isLong(key)) return key
  const hash = createHash('sha256').update(Buffer.from(key, 'utf16le')).digest('hex')
  return key.slice(0, KEPT_CHARACTERS).toWellFormed() + MARK + hash
}

/** Whether the key of a name cannot be found out. */
function isHashed(name) {
  return HASHED.test(name)
}

function isLong(key) {
  return key.length > LONGEST_BYTES / 3 && Buffer.byteLength(key) > LONGEST_BYTES
}

module.exports = { isHashed, nameOf }
