'use strict'

const { subscribe } = require('../option-names.js')
const { assertFunction, readOptions } = require('../options.js')

const PUBLISH_OPTIONS = ['sharded']
const STREAM_OPTIONS = { ...subscribe, onGap: true }
const HANDLER_OPTIONS = { ...STREAM_OPTIONS, onError: true }

/** Reads the arguments of `subscribe`: the callbacks, and the options that the native side validates. */
function readSubscribeOptions(options, streams) {
  const { onGap, onError, ...native } = readOptions(options, streams ? STREAM_OPTIONS : HANDLER_OPTIONS)
  for (const [name, value] of Object.entries({ onGap, onError })) {
    if (value !== undefined) assertFunction(value, `options.${name}`)
  }
  return { onGap, onError, native }
}

module.exports = { PUBLISH_OPTIONS, readSubscribeOptions }
