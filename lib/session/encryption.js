'use strict'

const { Buffer } = require('node:buffer')
const { types } = require('node:util')

const { argumentError } = require('../error.js')
const { isArray, readOptions } = require('../options.js')

const KEY_OPTIONS = { id: true, key: true }
// 32 bytes.
const BASE64 = /^[A-Za-z0-9+/_-]{43}=?$/

/**
 * The keys for encryption with bytes in place of base64, copied, because the caller may change them. What is no key at all is rejected by
 * the native side.
 */
function encryptionOptions(given) {
  if (typeof given !== 'object' || given === null || !isArray(given.keys)) return given
  return { __proto__: null, ...given, keys: listOf(given.keys).map(keyOf) }
}

function listOf(keys) {
  try {
    return Array.from(keys)
  } catch (error) {
    throw argumentError('encryption.keys could not be read', error)
  }
}

function keyOf(given, at) {
  const own = readOptions(given, KEY_OPTIONS, { within: `encryption.keys[${at}].` })
  return { __proto__: null, ...own, key: bytesOf(own.key, at) }
}

function bytesOf(key, at) {
  if (types.isUint8Array(key)) return Uint8Array.from(key)
  if (typeof key === 'string' && BASE64.test(key)) return Uint8Array.from(Buffer.from(key, 'base64'))
  // Without the text, which may be a key with a mistake in it.
  throw argumentError(`encryption.keys[${at}].key must be 32 bytes, as a Uint8Array or in base64`)
}

module.exports = { encryptionOptions }
