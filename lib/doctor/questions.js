'use strict'

// For each command of the table of features, an example of it on a key that does not exist.

const ABSENT = '0'.repeat(40)

/**
 * Arguments with which a command changes nothing, even if it is executed: it reads, it removes what is not there, or it fails because one
 * argument is invalid, after the server has checked the permission.
 */
const HARMLESS = {
  del: (key) => [key],
  eval: (key) => ['return 1', '1', key],
  evalsha: (key) => [ABSENT, '1', key],
  exists: (key) => [key],
  get: (key) => [key],
  getdel: (key) => [key],
  getrange: (key) => [key, '0', '0'],
  hdel: (key) => [key, 'x'],
  hexists: (key) => [key, 'x'],
  hget: (key) => [key, 'x'],
  hgetall: (key) => [key],
  hincrby: (key) => [key, 'x', 'not-a-number'],
  hkeys: (key) => [key],
  hlen: (key) => [key],
  hmget: (key) => [key, 'x'],
  hset: (key) => [key, 'x', 'x', 'a-field-without-a-value'],
  info: () => ['server'],
  lindex: (key) => [key, '0'],
  llen: (key) => [key],
  lrange: (key) => [key, '0', '0'],
  ltrim: (key) => [key, '0', '0'],
  mget: (key) => [key],
  pexpire: (key) => [key, '1'],
  pexpiretime: (key) => [key],
  pttl: (key) => [key],
  scan: () => ['0', 'COUNT', '1'],
  scard: (key) => [key],
  set: (key) => [key, 'x', 'EX', '0'],
  spop: (key) => [key],
  srandmember: (key) => [key],
  srem: (key) => [key, 'x'],
  time: () => [],
  unlink: (key) => [key],
  zadd: (key) => [key, 'not-a-number', 'x'],
  zcard: (key) => [key],
  zrange: (key) => [key, '0', '0'],
  zrangebyscore: (key) => [key, '0', '0'],
  zrem: (key) => [key, 'x'],
  zremrangebyrank: (key) => [key, '0', '0'],
  zremrangebyscore: (key) => [key, '0', '0'],
  zrevrange: (key) => [key, '0', '0'],
  zscore: (key) => [key, 'x'],
}

/** Arguments of commands that are only asked about: executed, they would change something. */
const ASKED_ONLY = {
  decr: (key) => [key],
  incr: (key) => [key],
  lpush: (key) => [key, 'x'],
  rpush: (key) => [key, 'x'],
  sadd: (key) => [key, 'x'],
}

/** Arguments of commands on a channel of a random name, which nothing subscribes to. */
const WITH_CHANNEL = {
  publish: (channel) => [channel, ''],
  subscribe: (channel) => [channel],
}

/**
 * What to ask for a feature: `{ command, words, subject, harmless }`, where `subject` is what the key or channel begins with, and null
 * for a command without one.
 */
function questionsOf({ prefixes, channels, commands }) {
  const name = `cinnabar-doctor-${crypto.randomUUID()}`
  const found = []
  for (const command of commands) {
    const make = HARMLESS[command] ?? ASKED_ONLY[command] ?? WITH_CHANNEL[command]
    // `unsubscribe` goes with `subscribe`.
    if (!make) continue
    const subjects = command in WITH_CHANNEL ? channels : make.length === 0 ? [null] : prefixes
    for (const subject of subjects) {
      const words = [command.toUpperCase(), ...make(subject + name)]
      found.push({ command, words, subject, harmless: command in HARMLESS || command === 'publish' })
    }
  }
  return found
}

module.exports = { questionsOf }
