'use strict'

// What each feature needs of a server: the table of docs/access.md, which a test compares with this one.

const { DEFAULT_PREFIX } = require('../next-cache/keys.js')

// Words of which each begins the keys of a feature, with a colon behind it. Other prefixes that an application has configured are unknown here.
const beginnings = (...words) => words.map((word) => `${word}:`)

/**
 * - `prefixes`: what its keys begin with.
 * - `channels`: what its channels begin with.
 * - `commands`: what it runs.
 * - `expires`: whether each of its keys must have a ttl.
 * - `lost`: what an eviction costs; none where a lost key is only slow. `kept` says that its keys have no ttl.
 */
const features = [
  {
    name: 'sessions',
    prefixes: beginnings('session', 'websocket'),
    channels: beginnings('session'),
    commands:
      'del eval evalsha get getrange mget pexpire pttl publish scan set subscribe time unsubscribe zadd zrangebyscore zrem zremrangebyscore zscore',
    expires: true,
    lost: 'users are signed out',
  },
  {
    name: 'express-session',
    prefixes: beginnings('sess'),
    commands: 'del eval evalsha get mget pexpire scan set',
    expires: true,
    lost: 'users are signed out',
  },
  {
    name: 'better-auth',
    prefixes: beginnings('better-auth'),
    commands: 'del eval evalsha get getdel incr mget pexpire pttl set',
    lost: 'users are signed out',
  },
  { name: 'keyv', prefixes: beginnings('keyv'), commands: 'del get mget scan set' },
  {
    name: 'unstorage',
    prefixes: beginnings('unstorage'),
    commands: 'del get mget pttl scan set',
    lost: 'items are lost',
  },
  {
    name: 'cache',
    prefixes: beginnings('api'),
    commands: 'del eval evalsha get mget pexpire pttl scan set time unlink',
    expires: true,
  },
  {
    name: 'next-cache',
    prefixes: [DEFAULT_PREFIX],
    commands:
      'del eval exists get hdel hget hlen hset pexpire pttl set time unlink zadd zcard zrange zrangebyscore zrem',
  },
  {
    name: 'rate-limits',
    prefixes: beginnings('rate_limit', 'ratelimit'),
    channels: beginnings('rate_limit'),
    commands:
      'decr del eval evalsha get incr pexpire pexpiretime pttl publish set subscribe time unsubscribe zadd zcard zrange zrem zremrangebyscore zscore',
    expires: true,
    lost: 'counts and blocks are forgotten',
  },
  {
    name: 'locks',
    prefixes: beginnings('lock'),
    channels: beginnings('lock'),
    commands:
      'del eval evalsha exists get pexpire pttl publish scan set subscribe time unsubscribe zadd zrange zrangebyscore zrem zremrangebyscore zscore',
    expires: true,
    lost: 'two callers may hold one lock',
  },
  {
    name: 'rooms',
    prefixes: beginnings('room'),
    channels: beginnings('room'),
    commands:
      'eval evalsha exists hdel hexists hget hgetall hincrby hlen hmget hset llen lpush lrange ltrim pexpire publish sadd scard set spop srandmember srem subscribe time unsubscribe zadd zrangebyscore zrem zscore',
    expires: true,
    lost: 'members and messages are missing',
  },
  {
    name: 'queues',
    prefixes: beginnings('queue'),
    channels: beginnings('queue'),
    commands:
      'del eval evalsha exists get hdel hexists hget hincrby hkeys hlen hmget hset lindex lrange ltrim pexpire pttl publish rpush sadd scard set srem subscribe time unlink unsubscribe zadd zcard zrange zrangebyscore zrem zremrangebyrank zrevrange zscore',
    lost: 'jobs are lost',
    kept: true,
  },
  { name: 'health', prefixes: ['cinnabar:health:'], commands: 'del get info set' },
].map((feature) => ({ channels: [], ...feature, commands: feature.commands.split(' ') }))

const featureNames = features.map(({ name }) => name)

/** The features whose keys were seen on the server, or which the caller has named. */
class Use {
  #named
  #seen = new Set()

  constructor(named) {
    this.#named = named && new Set(named)
  }

  /** Those to examine. */
  get examined() {
    return this.#named ? features.filter(({ name }) => this.#named.has(name)) : features
  }

  /** Those that are known to be used. */
  get used() {
    return features.filter(({ name }) => (this.#named ?? this.#seen).has(name))
  }

  see(feature) {
    this.#seen.add(feature.name)
  }

  has(name) {
    return (this.#named ?? this.#seen).has(name)
  }
}

module.exports = { Use, featureNames, features }
