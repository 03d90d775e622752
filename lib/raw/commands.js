'use strict'

const { types } = require('node:util')

const { CinnabarError, argumentError } = require('../error.js')
const { describe, ownOptions } = require('../options.js')
const { bound, digits, natural, positive, score, takes, whole, withinCount, word } = require('./arguments.js')

const SET_OPTIONS = ['EX', 'PX', 'NX', 'XX', 'GET', 'KEEPTTL', 'expiration', 'condition']

/**
 * The raw client's commands: its camelCase name → the name on the wire, and what checks the arguments of a call and makes them
 * those of the command.
 */
const COMMANDS = {
  ping: ['PING', takes('message?')],
  info: ['INFO', takes('section?')],
  dbSize: ['DBSIZE', takes()],
  flushAll: ['FLUSHALL', takes('mode?')],
  flushDb: ['FLUSHDB', takes('mode?')],
  publish: ['PUBLISH', takes('channel', 'message')],
  eval: ['EVAL', evaluate],
  scan: ['SCAN', scan],
  type: ['TYPE', takes('key')],
  exists: ['EXISTS', takes('...key')],
  del: ['DEL', takes('...key')],
  unlink: ['UNLINK', takes('...key')],
  expire: ['EXPIRE', takes('key', 'seconds', 'only?')],
  pExpire: ['PEXPIRE', takes('key', 'ms', 'only?')],
  persist: ['PERSIST', takes('key')],
  ttl: ['TTL', takes('key')],
  pTTL: ['PTTL', takes('key')],

  get: ['GET', takes('key')],
  set: ['SET', set],
  incr: ['INCR', takes('key')],
  incrBy: ['INCRBY', takes('key', 'increment')],
  decr: ['DECR', takes('key')],
  decrBy: ['DECRBY', takes('key', 'decrement')],
  mGet: ['MGET', takes('...key')],
  mSet: ['MSET', pairs],

  hSet: ['HSET', hSet],
  hGet: ['HGET', takes('key', 'field')],
  hGetAll: ['HGETALL', takes('key')],
  hDel: ['HDEL', takes('key', '...field')],
  hExists: ['HEXISTS', takes('key', 'field')],
  hKeys: ['HKEYS', takes('key')],
  hVals: ['HVALS', takes('key')],
  hLen: ['HLEN', takes('key')],
  hMGet: ['HMGET', takes('key', '...field')],
  hIncrBy: ['HINCRBY', takes('key', 'field', 'increment')],

  lPush: ['LPUSH', takes('key', '...element+')],
  rPush: ['RPUSH', takes('key', '...element+')],
  lRange: ['LRANGE', takes('key', 'start', 'stop')],
  lTrim: ['LTRIM', takes('key', 'start', 'stop')],
  lLen: ['LLEN', takes('key')],
  lPop: ['LPOP', takes('key', 'count?')],
  rPop: ['RPOP', takes('key', 'count?')],

  sAdd: ['SADD', takes('key', '...member')],
  sRem: ['SREM', takes('key', '...member')],
  sMembers: ['SMEMBERS', takes('key')],
  sIsMember: ['SISMEMBER', takes('key', 'member')],
  sCard: ['SCARD', takes('key')],

  zAdd: ['ZADD', zAdd],
  zRange: ['ZRANGE', zRange],
  zRevRange: ['ZREVRANGE', takes('key', 'start', 'stop')],
  zRangeByScore: ['ZRANGEBYSCORE', zRangeByScore],
  zScore: ['ZSCORE', takes('key', 'member')],
  zRem: ['ZREM', takes('key', '...member')],
  zCard: ['ZCARD', takes('key')],
  zIncrBy: ['ZINCRBY', zIncrBy],
}

/** Commands that also have a variant returning Buffers, named with the suffix `Buffer`. */
const BUFFER_COMMANDS = [
  'get',
  'mGet',
  'eval',
  'hGet',
  'hGetAll',
  'hKeys',
  'hVals',
  'hMGet',
  'lRange',
  'lPop',
  'rPop',
  'sMembers',
  'zRange',
  'zRevRange',
  'zRangeByScore',
]

/** Throws unless `args` is an array that starts with a command's name. */
function assertCommand(args) {
  if (Array.isArray(args) && typeof args[0] === 'string') return
  throw argumentError('sendCommand takes an array: the name of the command, followed by its arguments')
}

/** The `buffers` option of `sendCommand`. */
function buffersOf({ buffers }) {
  if (buffers === undefined || typeof buffers === 'boolean') return buffers
  throw argumentError(`options.buffers must be a boolean, got ${describe(buffers)}`)
}

/** The command and arguments to send for `client[name](...args)`. Throws if an argument is invalid, naming both. */
function toCommand(name, args) {
  const [command, shape] = COMMANDS[name]
  try {
    return [command, shape(...args)]
  } catch (error) {
    if (!(error instanceof CinnabarError)) throw error
    throw new CinnabarError(`${name}: ${error.message}`, { code: error.code, command, cause: error.cause })
  }
}

function set(key, value, options, ...extra) {
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

function evaluate(script, numberOfKeys, ...keysAndArgs) {
  const more = keysAndArgs.flat().map((value) => word(value, 'a key or argument'))
  if (Number(natural(numberOfKeys, 'numberOfKeys')) > more.length) {
    throw argumentError(`numberOfKeys is ${numberOfKeys}, but ${more.length} keys and arguments were given`)
  }
  return [word(script, 'script'), numberOfKeys, ...more]
}

function scan(cursor = '0', options, ...extra) {
  withinCount([cursor, options, ...extra], ['cursor?', 'options?'])
  const { MATCH, COUNT } = ownOptions(options, ['MATCH', 'COUNT'])
  const args = [natural(cursor, 'cursor')]
  if (MATCH !== undefined) args.push('MATCH', word(MATCH, 'MATCH'))
  if (COUNT !== undefined) args.push('COUNT', positive(COUNT, 'COUNT'))
  return args
}

function hSet(key, field, ...rest) {
  if (isRecord(field)) {
    withinCount([key, field, ...rest], ['key', 'fields'])
    return [word(key, 'key'), ...nonEmpty(fieldsOf(field), 'field')]
  }
  const args = [word(field, 'field'), ...rest]
  if (args.length % 2 === 1) throw argumentError('every field needs a value')
  return [word(key, 'key'), ...args.map((value, at) => word(value, at % 2 === 0 ? 'field' : 'value'))]
}

function pairs(first, ...rest) {
  const args = isRecord(first) ? fieldsOf(first) : [first, ...rest].flat(2)
  if (isRecord(first)) withinCount([first, ...rest], ['values'])
  else if (first === undefined) throw argumentError('at least one key is required')
  if (args.length % 2 === 1) throw argumentError('every key needs a value')
  return nonEmpty(args, 'key').map((value, at) => word(value, at % 2 === 0 ? 'key' : 'value'))
}

function fieldsOf(record) {
  return Object.entries(record).flatMap(([name, value]) => [name, word(value, 'value')])
}

function zAdd(key, members, ...extra) {
  withinCount([key, members, ...extra], ['key', 'members'])
  const list = Array.isArray(members) ? members : [members]
  const args = [word(key, 'key')]
  for (const member of nonEmpty(list, 'member')) {
    if (!isRecord(member)) throw argumentError(`a member must be { score, value }, got ${describe(member)}`)
    args.push(score(member.score, 'score'), word(member.value, 'value'))
  }
  return args
}

function zRange(key, start, stop, options, ...extra) {
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

function zRangeByScore(key, min, max, options, ...extra) {
  withinCount([key, min, max, options, ...extra], ['key', 'min', 'max', 'options?'])
  const { LIMIT } = ownOptions(options, ['LIMIT'])
  return [word(key, 'key'), bound(min, 'min'), bound(max, 'max'), ...limit(LIMIT)]
}

function zIncrBy(key, increment, member, ...extra) {
  withinCount([key, increment, member, ...extra], ['key', 'increment', 'member'])
  return [word(key, 'key'), score(increment, 'increment'), word(member, 'member')]
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

module.exports = { BUFFER_COMMANDS, COMMANDS, assertCommand, toCommand, buffersOf }
