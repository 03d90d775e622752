'use strict'

const { getResponse } = require('../cache.js')
const { argumentError } = require('../error.js')
const { assertFunction, describe } = require('../options.js')
const { isResponse } = require('../response-copy.js')
const { respondWith } = require('./fetch-cache.js')
const { readOptions } = require('./response-options.js')

/** A handler of fetch requests whose responses are cached. */
function withCache(handler, options) {
  assertFunction(handler, 'handler')
  const own = readOptions(options)
  return async (...args) => {
    const respond = async () => {
      const response = await handler(...args)
      if (isResponse(response)) return response
      throw argumentError(`handler must return a Response, got ${describe(response)}`)
    }
    return respondWith(own, args[0], args, { respond, getOrLoad: getResponse })
  }
}

module.exports = { withCache }
