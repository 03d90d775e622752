'use strict'

const { argumentError } = require('./error.js')
const { describe, ownOptions } = require('./options.js')

const SET_OPTIONS = ['EX', 'PX', 'NX', 'XX', 'GET', 'KEEPTTL', 'expiration', 'condition']

/**
 * The raw client's commands: its camelCase name → the name on the wire, and how the arguments of a call become those
 * of the command. Without the latter they are taken as they are, arrays spread.
 */
const COMMANDS = {
  ping: ['PING'],
  info: ['INFO'],
  dbSize: ['DBSIZE'],
  flushAll: ['FLUSHALL'],
  flushDb: ['FLUSHDB'],
  publish: ['PUBLISH'],
  eval: ['EVAL'],
  scan: ['SCAN', scan],
  type: ['TYPE'],
  exists: ['EXISTS'],
  del: ['DEL'],
  unlink: ['UNLINK'],
  expire: ['EXPIRE', expire],
  pExpire: ['PEXPIRE', expire],
  persist: ['PERSIST'],
  ttl: ['TTL'],
  pTTL: ['PTTL'],

  get: ['GET'],
  set: ['SET', set],
  incr: ['INCR'],
  incrBy: ['INCRBY'],
  decr: ['DECR'],
  decrBy: ['DECRBY'],
  mGet: ['MGET'],
  mSet: ['MSET', pairs],

  hSet: ['HSET', hSet],
  hGet: ['HGET'],
  hGetAll: ['HGETALL'],
  hDel: ['HDEL'],
  hExists: ['HEXISTS'],
  hKeys: ['HKEYS'],
  hVals: ['HVALS'],
  hLen: ['HLEN'],
  hMGet: ['HMGET'],
  hIncrBy: ['HINCRBY'],

  lPush: ['LPUSH'],
  rPush: ['RPUSH'],
  lRange: ['LRANGE'],
  lTrim: ['LTRIM'],
  lLen: ['LLEN'],
  lPop: ['LPOP'],
  rPop: ['RPOP'],

  sAdd: ['SADD'],
  sRem: ['SREM'],
  sMembers: ['SMEMBERS'],
  sIsMember: ['SISMEMBER'],
  sCard: ['SCARD'],

  zAdd: ['ZADD', zAdd],
  zRange: ['ZRANGE', zRange],
  zRevRange: ['ZREVRANGE'],
  zRangeByScore: ['ZRANGEBYSCORE', zRangeByScore],
  zScore: ['ZSCORE'],
  zRem: ['ZREM'],
  zCard: ['ZCARD'],
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
function wantsBuffers(options) {
  if (options === undefined) return undefined
  const { buffers } = ownOptions(options, ['buffers'])
  if (buffers === undefined || typeof buffers === 'boolean') return buffers
  throw argumentError(`options.buffers must be a boolean, got ${describe(buffers)}`)
}

/** The command and arguments to send for `client[name](...args)`. Throws if an argument is invalid. */
function toCommand(name, args) {
  const [command, shape = spread] = COMMANDS[name]
  return [command, shape(...args)]
}

function spread(...args) {
  return args.flat()
}

function set(key, value, options) {
  const args = [key, value]
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

function expire(key, time, ...rest) {
  return [key, whole(time, 'the time to live'), ...rest]
}

function scan(cursor = '0', options) {
  const { MATCH, COUNT } = ownOptions(options, ['MATCH', 'COUNT'])
  const args = [cursor]
  if (MATCH !== undefined) args.push('MATCH', MATCH)
  if (COUNT !== undefined) args.push('COUNT', positive(COUNT, 'COUNT'))
  return args
}

function hSet(key, field, ...rest) {
  return isRecord(field) ? [key, ...nonEmpty(Object.entries(field).flat())] : [key, field, ...rest]
}

function pairs(first, ...rest) {
  const args = isRecord(first) ? Object.entries(first).flat() : [first, ...rest].flat(2)
  if (args.length % 2 === 1) throw argumentError('every key needs a value')
  return nonEmpty(args)
}

function zAdd(key, members) {
  const list = Array.isArray(members) ? members : [members]
  const args = [key]
  for (const member of nonEmpty(list)) {
    if (!isRecord(member)) throw argumentError(`a member must be { score, value }, got ${describe(member)}`)
    args.push(score(member.score), member.value)
  }
  return args
}

function zRange(key, start, stop, options) {
  const { BY, REV, LIMIT } = ownOptions(options, ['BY', 'REV', 'LIMIT'])
  const args = [key, bound(start), bound(stop)]
  if (BY !== undefined && BY !== 'SCORE') throw argumentError('BY must be "SCORE"')
  if (BY) args.push('BYSCORE')
  if (REV) args.push('REV')
  return args.concat(limit(LIMIT))
}

function zRangeByScore(key, min, max, options) {
  const { LIMIT } = ownOptions(options, ['LIMIT'])
  return [key, bound(min), bound(max), ...limit(LIMIT)]
}

function zIncrBy(key, increment, member) {
  return [key, score(increment), member]
}

function limit(range) {
  if (range === undefined) return []
  const { offset, count } = ownOptions(range, ['offset', 'count'])
  return ['LIMIT', whole(offset, 'LIMIT.offset'), whole(count, 'LIMIT.count')]
}

/** A score as Redis spells it. */
function score(value) {
  if (typeof value !== 'number' || Number.isNaN(value)) {
    throw argumentError(`a score must be a number, got ${describe(value)}`)
  }
  return bound(value)
}

function bound(value) {
  if (value === Infinity) return '+inf'
  return value === -Infinity ? '-inf' : value
}

function positive(value, name) {
  if (whole(value, name) < 1) throw argumentError(`${name} must be at least 1`)
  return value
}

function whole(value, name) {
  if (!Number.isSafeInteger(value)) {
    throw argumentError(`${name} must be a whole number, got ${typeof value === 'number' ? value : describe(value)}`)
  }
  return value
}

function nonEmpty(args) {
  if (args.length === 0) throw argumentError('at least one element is required')
  return args
}

function isRecord(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)
}

module.exports = { BUFFER_COMMANDS, COMMANDS, assertCommand, toCommand, wantsBuffers }
