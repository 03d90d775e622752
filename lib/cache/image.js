'use strict'

const { types } = require('node:util')

const { argumentError } = require('../error.js')
const { fromJson, jsonOf } = require('../json.js')
const { describe, isArray } = require('../options.js')
const { defaultPrefixes } = require('../prefixes.js')

const SIGNATURES = [
  ['image/png', [0x89, 0x50, 0x4e, 0x47]],
  ['image/jpeg', [0xff, 0xd8, 0xff]],
  ['image/gif', [0x47, 0x49, 0x46, 0x38]],
  ['image/bmp', [0x42, 0x4d]],
  ['image/x-icon', [0x00, 0x00, 0x01, 0x00]],
]
const EXTENSIONS = {
  avif: 'image/avif',
  bmp: 'image/bmp',
  gif: 'image/gif',
  ico: 'image/x-icon',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  png: 'image/png',
  svg: 'image/svg+xml',
  webp: 'image/webp',
}

/** The cache key of an image file's metadata. */
function imageKey(file) {
  if (typeof file !== 'string') throw argumentError(`file must be a path, got ${describe(file)}`)
  return defaultPrefixes.images + file
}

/** The metadata of an image: computed from its bytes, or copied if `image` is already metadata. */
function imageInfo(file, image) {
  if (types.isArrayBuffer(image)) return imageInfo(file, new Uint8Array(image))
  if (types.isUint8Array(image)) {
    // Required lazily, because it is rarely needed.
    const hash = require('node:crypto').createHash('sha256').update(image).digest('hex')
    return { size: image.byteLength, type: typeOf(file, image), hash, timestamp: Date.now() }
  }
  if (typeof image !== 'object' || image === null || isArray(image) || ArrayBuffer.isView(image)) {
    throw argumentError(`image must be its bytes (Uint8Array) or { size, type, hash }, got ${describe(image)}`)
  }
  return checked({ timestamp: Date.now(), ...fromJson(jsonOf(image, 'image')) })
}

// After a round trip through JSON, as it is stored.
function checked(info) {
  if (!Number.isSafeInteger(info.size) || info.size < 0) {
    throw argumentError(`image.size must be a whole number of bytes, got ${describe(info.size)}`)
  }
  for (const name of ['type', 'hash']) {
    if (typeof info[name] !== 'string')
      throw argumentError(`image.${name} must be a string, got ${describe(info[name])}`)
  }
  if (typeof info.timestamp !== 'number') {
    throw argumentError(`image.timestamp must be a time in ms since 1970, got ${describe(info.timestamp)}`)
  }
  return info
}

// The content decides before the file name, which may be wrong.
function typeOf(file, bytes) {
  for (const [type, signature] of SIGNATURES) {
    if (signature.every((byte, at) => bytes[at] === byte)) return type
  }
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 12)).toString('latin1')
  if (head.startsWith('RIFF') && head.slice(8, 12) === 'WEBP') return 'image/webp'
  if (head.slice(4, 12) === 'ftypavif') return 'image/avif'
  const extension = String(file).split('.').pop().toLowerCase()
  return Object.hasOwn(EXTENSIONS, extension) ? EXTENSIONS[extension] : 'application/octet-stream'
}

module.exports = { imageInfo, imageKey }
