'use strict'

const { types } = require('node:util')

const { binding } = require('../bridge.js')
const { CinnabarError, argumentError } = require('../error.js')
const { describe, isArray, ownOptions } = require('../options.js')
const { bound, digits, flatten, natural, positive, score, takes, whole, withinCount, word } = require('./arguments.js')

const SET_OPTIONS = ['EX', 'PX', 'NX', 'XX', 'GET', 'KEEPTTL', 'expiration', 'condition']

/** Throws unless `args` is an array that starts with a command's name. */
function assertCommand(args) {
  try {
    if (isArray(args) && typeof args[0] === 'string') return
  } catch (error) {
    throw argumentError('the command could not be read', error)
  }
  throw argumentError('sendCommand takes an array: the name of the command, followed by its arguments')
}

/** The `buffers` option of `sendCommand`. */
function buffersOf({ buffers }) {
  if (buffers === undefined || typeof buffers === 'boolean') return buffers
  throw argumentError(`options.buffers must be a boolean, got ${describe(buffers)}`)
}

/**
 * The command and arguments to send for `client[name](...args)`. Throws if an argument is invalid, naming both. The arguments stay in
 * arrays: as those of a function, tens of thousands of keys do not fit on the stack.
 */
function toCommand(name, args) {
  const { command, toArguments } = COMMANDS.get(name)
  try {
    return [command, toArguments(args)]
  } catch (error) {
    // A proxy or a getter may throw anything.
    const { message, code, cause } =
      error instanceof CinnabarError ? error : argumentError('its arguments could not be read', error)
    throw new CinnabarError(`${name}: ${message}`, { code, command, cause })
  }
}

function set([key, value, options, ...extra]) {
  withinCount([key, value, options, ...extra], ['key', 'value', 'options?'])
  const args = [word(key, 'key'), word(value, 'value')]
  if (options === undefined) return args
  const { EX, PX, NX, XX, GET, KEEPTTL } = plainSet(ownOptions(options, SET_OPTIONS))
  if (NX && XX) throw argumentError('NX and XX cannot be combined')
  if ([EX !== undefined, PX !== undefined, Boolean(KEEPTTL)].filter(Boolean).length > 1) {
    throw argumentError('only one of EX, PX and KEEPTTL can be given')
  }
  if (NX) args.push('NX')
  if (XX) args.push('XX')
  if (GET) args.push('GET')
  if (EX !== undefined) args.push('EX', positive(EX, 'EX'))
  if (PX !== undefined) args.push('PX', positive(PX, 'PX'))
  if (KEEPTTL) args.push('KEEPTTL')
  return args
}

// node-redis accepts two spellings of these options, and libraries use both.
function plainSet(options) {
  const { condition, expiration } = options
  if (condition !== undefined) {
    if (condition !== 'NX' && condition !== 'XX') throw argumentError('condition must be "NX" or "XX"')
    options[condition] = true
  }
  if (expiration === undefined) return options
  const { type, value } = expiration === 'KEEPTTL' ? { type: expiration } : ownOptions(expiration, ['type', 'value'])
  if (type === 'KEEPTTL') options.KEEPTTL = true
  else if (type === 'EX' || type === 'PX') options[type] = positive(value, 'expiration.value')
  else throw argumentError('expiration.type must be "EX", "PX" or "KEEPTTL"')
  return options
}

function evaluate([script, numberOfKeys, ...keysAndArgs]) {
  const more = flatten(keysAndArgs).map((value, at) => word(value, 'argument', at))
  if (Number(natural(numberOfKeys, 'numberOfKeys')) > more.length) {
    throw argumentError(`numberOfKeys is ${numberOfKeys}, but ${more.length} keys and arguments were given`)
  }
  return [word(script, 'script'), numberOfKeys, ...more]
}

function scan([cursor = '0', options, ...extra]) {
  withinCount([cursor, options, ...extra], ['cursor?', 'options?'])
  const { MATCH, COUNT } = ownOptions(options, ['MATCH', 'COUNT'])
  const args = [natural(cursor, 'cursor')]
  if (MATCH !== undefined) args.push('MATCH', word(MATCH, 'MATCH'))
  if (COUNT !== undefined) args.push('COUNT', positive(COUNT, 'COUNT'))
  return args
}

function hSet([key, field, ...rest]) {
  if (isRecord(field)) {
    withinCount([key, field, ...rest], ['key', 'fields'])
    return [word(key, 'key'), ...nonEmpty(fieldsOf(field), 'field')]
  }
  const args = [word(field, 'field'), ...rest]
  if (args.length % 2 === 1) throw argumentError('every field needs a value')
  return [word(key, 'key'), ...args.map(pairOf('field'))]
}

function pairs([first, ...rest]) {
  const args = isRecord(first) ? fieldsOf(first) : flatten([first, ...rest], 2)
  if (isRecord(first)) withinCount([first, ...rest], ['values'])
  else if (first === undefined) throw argumentError('at least one key is required')
  if (args.length % 2 === 1) throw argumentError('every key needs a value')
  return nonEmpty(args, 'key').map(pairOf('key'))
}

/** Checks names and values in turn. */
function pairOf(name) {
  return (value, at) => word(value, at % 2 === 0 ? name : 'value', Math.floor(at / 2))
}

function fieldsOf(record) {
  return Object.entries(record).flatMap(([name, value]) => [name, word(value, 'value')])
}

function zAdd([key, members, ...extra]) {
  withinCount([key, members, ...extra], ['key', 'members'])
  const list = flatten([members])
  const args = [word(key, 'key')]
  nonEmpty(list, 'member').forEach((member, at) => {
    if (!isRecord(member)) throw argumentError(`member[${at}] must be { score, value }, got ${describe(member)}`)
    args.push(score(member.score, 'score', at), word(member.value, 'value', at))
  })
  return args
}

function zRange([key, start, stop, options, ...extra]) {
  withinCount([key, start, stop, options, ...extra], ['key', 'start', 'stop', 'options?'])
  const { BY, REV, LIMIT } = ownOptions(options, ['BY', 'REV', 'LIMIT'])
  if (BY !== undefined && BY !== 'SCORE') throw argumentError('BY must be "SCORE"')
  if (LIMIT !== undefined && BY === undefined) throw argumentError('LIMIT needs BY: "SCORE"')
  const end = BY ? bound : digits
  const args = [word(key, 'key'), end(start, 'start'), end(stop, 'stop')]
  if (BY) args.push('BYSCORE')
  if (REV) args.push('REV')
  return args.concat(limit(LIMIT))
}

function zRangeByScore([key, min, max, options, ...extra]) {
  withinCount([key, min, max, options, ...extra], ['key', 'min', 'max', 'options?'])
  const { LIMIT } = ownOptions(options, ['LIMIT'])
  return [word(key, 'key'), bound(min, 'min'), bound(max, 'max'), ...limit(LIMIT)]
}

function limit(range) {
  if (range === undefined) return []
  const { offset, count } = ownOptions(range, ['offset', 'count'])
  return ['LIMIT', whole(offset, 'LIMIT.offset'), whole(count, 'LIMIT.count')]
}

function nonEmpty(args, name) {
  if (args.length === 0) throw argumentError(`at least one ${name} is required`)
  return args
}

// Not an array, bytes or a Map, which have no fields of their own.
function isRecord(value) {
  if (typeof value !== 'object' || value === null || types.isPromise(value)) return false
  return !ArrayBuffer.isView(value) && typeof value[Symbol.iterator] !== 'function'
}

// Commands whose parameters depend on each other.
const SPECIAL = { eval: evaluate, hSet, mSet: pairs, scan, set, zAdd, zRange, zRangeByScore }

/**
 * The raw client's commands, by the name of the method: the name on the wire, what checks the arguments of a call and makes them
 * those of the command, and whether there is a method with the suffix `Buffer`. The table is crates/core/src/features/raw/table.rs.
 */
const COMMANDS = new Map(
  binding.rawCommands().map(([method, command, parameters, bytes]) => {
    const toArguments = parameters === '*' ? SPECIAL[method] : takes(...parameters.split(' ').filter(Boolean))
    return [method, { command, toArguments, hasBuffers: bytes !== '' }]
  }),
)

/** Adds a method to a class for each command, and one with the suffix `Buffer`, as `define(name, buffers)` returns it. */
function addCommands(Class, define) {
  const add = (method, value) => {
    Object.defineProperty(value, 'name', { value: method })
    Object.defineProperty(Class.prototype, method, { value, configurable: true, writable: true })
  }
  for (const name of COMMANDS.keys()) add(name, define(name, false))
  for (const [name, { hasBuffers }] of COMMANDS) if (hasBuffers) add(`${name}Buffer`, define(name, true))
}

module.exports = { addCommands, assertCommand, toCommand, buffersOf }
