'use strict'

const { argumentError } = require('../error.js')
const { assertFunction, assertOptions, describe } = require('../options.js')

const SHARED = ['pattern', 'sharded', 'buffer', 'overflow', 'buffers', 'onGap']

/** What `subscribe` was told: the functions, and what the native side takes, which says what that may be. */
function readOptions(options, streams) {
  const names = streams ? SHARED : [...SHARED, 'onError']
  assertOptions(options, names)
  const { onGap, onError, buffer, ...native } = read(options, names)
  for (const [name, value] of Object.entries({ onGap, onError })) {
    if (value !== undefined) assertFunction(value, `options.${name}`)
  }
  if (buffer !== undefined) assertObject(buffer)
  assertOptions(buffer, ['messages', 'bytes'], 'buffer.')
  return { onGap, onError, native: { ...native, ...read(buffer, ['messages', 'bytes']) } }
}

/** What `publish` was told, which the native side says what it may be. */
function isSharded(options) {
  assertOptions(options, ['sharded'])
  return read(options, ['sharded']).sharded
}

function read(options, names) {
  try {
    return Object.fromEntries(names.map((name) => [name, options?.[name]]))
  } catch (error) {
    throw argumentError('options could not be read', error)
  }
}

function assertObject(buffer) {
  if (typeof buffer === 'object' && buffer !== null && !Array.isArray(buffer)) return
  throw argumentError(`options.buffer must be an object, got ${describe(buffer)}`)
}

module.exports = { isSharded, readOptions }
