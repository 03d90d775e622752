'use strict'

const { argumentError } = require('../error.js')
const { assertFunction, describe, ownOptions } = require('../options.js')

const PUBLISH_OPTIONS = ['sharded']
const STREAM_OPTIONS = ['pattern', 'sharded', 'buffer', 'overflow', 'buffers', 'onGap']

/** Reads the arguments of `subscribe`: the callbacks, and the options that the native side validates. */
function readSubscribeOptions(options, streams) {
  const names = streams ? STREAM_OPTIONS : [...STREAM_OPTIONS, 'onError']
  const { onGap, onError, buffer, ...native } = ownOptions(options, names)
  for (const [name, value] of Object.entries({ onGap, onError })) {
    if (value !== undefined) assertFunction(value, `options.${name}`)
  }
  if (buffer !== undefined) assertObject(buffer)
  return { onGap, onError, native: { ...native, ...ownOptions(buffer, ['messages', 'bytes'], 'buffer.') } }
}

function assertObject(buffer) {
  if (typeof buffer === 'object' && buffer !== null && !Array.isArray(buffer)) return
  throw argumentError(`options.buffer must be an object, got ${describe(buffer)}`)
}

module.exports = { PUBLISH_OPTIONS, readSubscribeOptions }
