'use strict'

const { readCall } = require('../limitable.js')
const { subscribe } = require('../option-names.js')
const { assertFunction, readOptions } = require('../options.js')

const PUBLISH_OPTIONS = ['sharded']
const STREAM_OPTIONS = { ...subscribe, onGap: true }
const HANDLER_OPTIONS = { ...STREAM_OPTIONS, onError: true }

const STREAM_NAMES = Object.keys(STREAM_OPTIONS)
const HANDLER_NAMES = Object.keys(HANDLER_OPTIONS)

/**
 * Reads the arguments of `subscribe`. Without a handler, the subscription is an async iterable, and the options may take the handler's
 * place. Returns the service to subscribe with, and what was read: the callbacks, and the options that the native side validates.
 */
function readSubscribe(service, handler, options) {
  const streams = options === undefined && (handler === undefined || (typeof handler === 'object' && handler !== null))
  if (!streams) assertFunction(handler, 'handler')
  const [bound, own] = readCall(service, streams ? handler : options, streams ? STREAM_NAMES : HANDLER_NAMES)
  const { timeoutMs, signal, ...given } = own
  return [bound, { streams, ...readSubscribeOptions(given, streams) }]
}

function readSubscribeOptions(options, streams) {
  const { onGap, onError, ...native } = readOptions(options, streams ? STREAM_OPTIONS : HANDLER_OPTIONS)
  for (const [name, value] of Object.entries({ onGap, onError })) {
    if (value !== undefined) assertFunction(value, `options.${name}`)
  }
  return { onGap, onError, native }
}

module.exports = { PUBLISH_OPTIONS, readSubscribe }
