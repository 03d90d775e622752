'use strict'

const { readCall } = require('../limitable.js')
const { assertFunction } = require('../options.js')

/** The names of the options of a call: for a stream, and with a handler. */
const optionNames = (...names) => ({ stream: names, handler: [...names, 'onError'] })

/**
 * Reads a handler and options of these names, and `{ signal, timeoutMs }`. The options may take the handler's place; without a handler,
 * the result is an async iterable. Returns the object to make the call on, and what was read.
 */
function readArguments(object, handler, options, names) {
  const streams = options === undefined && (handler === undefined || (typeof handler === 'object' && handler !== null))
  if (!streams) assertFunction(handler, 'handler')
  const [bound, read] = readCall(object, streams ? handler : options, streams ? names.stream : names.handler)
  for (const name of ['onGap', 'onError']) {
    if (read[name] !== undefined) assertFunction(read[name], `options.${name}`)
  }
  return [bound, { __proto__: null, streams, ...read }]
}

module.exports = { optionNames, readArguments }
