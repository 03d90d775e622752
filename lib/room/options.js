'use strict'

const { assertFunction, ownOptions } = require('../options.js')

/**
 * Reads a handler and options of these names. The options may take the handler's place; without a handler, the result is an
 * async iterable.
 */
function readArguments(handler, options, names) {
  const streams = options === undefined && (handler === undefined || (typeof handler === 'object' && handler !== null))
  if (!streams) assertFunction(handler, 'handler')
  const read = readOptions(streams ? handler : options, streams ? names : [...names, 'onError'])
  return { __proto__: null, streams, ...read }
}

function readOptions(options, names) {
  const read = ownOptions(options, names)
  for (const name of ['onGap', 'onError']) {
    if (read[name] !== undefined) assertFunction(read[name], `options.${name}`)
  }
  return read
}

module.exports = { readArguments }
