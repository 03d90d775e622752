'use strict'

const { redisService } = require('../default-service.js')
const { argumentError } = require('../error.js')
const { isService, notAService } = require('../native-service.js')
const { assertFunction, assertMilliseconds, describe, describeNumber, ownOptions } = require('../options.js')
const { DEFAULT_PREFIX } = require('./keys.js')

const NAMES = ['service', 'prefix', 'timeoutMs', 'tagTimeoutMs', 'maxAgeSeconds', 'maxEntryBytes', 'log']
const DAY = 86_400
// As much as one value of Redis can have.
const MOST_BYTES = 512 * 1024 * 1024

/** The options of a handler, with their defaults. `more` are names that one of the two handlers has alone. */
function readHandlerOptions(options, more = []) {
  const {
    service = redisService,
    prefix = DEFAULT_PREFIX,
    timeoutMs = 500,
    tagTimeoutMs = 2000,
    maxAgeSeconds = 30 * DAY,
    maxEntryBytes = 16 * 1024 * 1024,
    log = warn,
    ...others
  } = ownOptions(options, [...NAMES, ...more])
  if (!isService(service)) throw notAService('service')
  assertPrefix(prefix)
  assertMilliseconds(timeoutMs, 'timeoutMs')
  assertMilliseconds(tagTimeoutMs, 'tagTimeoutMs')
  assertWhole(maxAgeSeconds, 'maxAgeSeconds', 60, 366 * DAY)
  assertWhole(maxEntryBytes, 'maxEntryBytes', 1024, MOST_BYTES)
  if (log !== false) assertFunction(log, 'log')
  return { service, prefix, timeoutMs, tagTimeoutMs, maxAgeSeconds, maxEntryBytes, log: log || silent, ...others }
}

const warn = (line) => console.warn(line)
const silent = () => {}

function assertPrefix(prefix) {
  if (typeof prefix !== 'string') throw argumentError(`prefix must be a string, got ${describe(prefix)}`)
  if (/^[\w.:-]{1,64}$/.test(prefix)) return
  throw argumentError('prefix must have 1 to 64 characters, each a letter, a digit or one of _ . : -')
}

function assertWhole(value, name, least, most) {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw argumentError(`${name} must be an integer from ${least} to ${most}, got ${describeNumber(value)}`)
}

module.exports = { readHandlerOptions }
