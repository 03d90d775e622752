'use strict'

const { argumentError } = require('../error.js')
const { assertFunction, assertOptions } = require('../options.js')

/**
 * A handler and options of these names, or options alone, which may stand in the handler's place: whoever gives no handler
 * iterates.
 */
function readArguments(handler, options, names) {
  const streams = options === undefined && (handler === undefined || (typeof handler === 'object' && handler !== null))
  if (!streams) assertFunction(handler, 'handler')
  const read = readOptions(streams ? handler : options, streams ? names : [...names, 'onError'])
  return { streams, ...read }
}

function readOptions(options, names) {
  assertOptions(options, names)
  const read = copy(options, names)
  for (const name of ['onGap', 'onError']) {
    if (read[name] !== undefined) assertFunction(read[name], `options.${name}`)
  }
  return read
}

function copy(options, names) {
  try {
    return Object.fromEntries(names.map((name) => [name, options?.[name]]))
  } catch (error) {
    throw argumentError('options could not be read', error)
  }
}

module.exports = { readArguments }
