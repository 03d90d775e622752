'use strict'

const { binding, getBridge } = require('./bridge.js')
const { ApiCache } = require('./cache.js')
const { RawClient } = require('./client.js')
const { toCommand } = require('./commands.js')
const { readEnvironment } = require('./environment.js')
const { CinnabarError } = require('./error.js')
const { handleOf, provideHandle } = require('./handle.js')
const { pingService } = require('./health.js')
const { RateLimiter } = require('./limit.js')
const { DistributedLock } = require('./lock.js')
const { assertOptions, describe } = require('./options.js')
const { subscribeTo } = require('./pubsub.js')
const { RealtimeDataManager } = require('./room.js')
const { SessionManager } = require('./session.js')

const LAZY = Symbol('lazy')
const OPTIONS = [
  'url',
  'host',
  'port',
  'username',
  'password',
  'credentials',
  'tls',
  'db',
  'sentinel',
  'poolSize',
  'timeoutMs',
  'connectTimeoutMs',
  'connectWaitMs',
  'retryAttempts',
  'reconnect',
  'maxQueuedCalls',
  'maxQueuedBytes',
  'keepAliveMs',
  'breaker',
  'maxBytes',
  'onUnavailable',
  'log',
]
// The names within those that are objects themselves.
const GROUPS = {
  tls: ['ca', 'cert', 'key', 'servername'],
  reconnect: ['firstMs', 'longestMs'],
  breaker: ['errorRate', 'windowMs', 'volume', 'openMs', 'probeTimeoutMs', 'slowCallMs', 'slowRate'],
  sentinel: ['username', 'password'],
}

/** One server, cluster or embedded store, and all that works on it. */
class RedisService {
  #native
  #client
  #cache
  #sessions
  #limiter
  #locks
  #rooms

  constructor(options) {
    if (options !== LAZY) this.#native = open(options)
    provideHandle(this, () => (this.#native ??= open()))
  }

  get isConnected() {
    return this.#native?.isConnected ?? false
  }

  async connect() {
    await this.#handle().connect()
  }

  async disconnect() {
    await this.#native?.disconnect()
  }

  get(key) {
    return this.#handle().command('GET', [key])
  }

  set(key, value, options) {
    return this.#run('set', [key, value, options])
  }

  del(...keys) {
    return this.#run('del', keys)
  }

  exists(...keys) {
    return this.#run('exists', keys)
  }

  expire(key, seconds) {
    return this.#run('expire', [key, seconds])
  }

  hSet(key, field, ...value) {
    return this.#run('hSet', [key, field, ...value])
  }

  hGet(key, field) {
    return this.#handle().command('HGET', [key, field])
  }

  hGetAll(key) {
    return this.#handle().command('HGETALL', [key])
  }

  hDel(key, ...fields) {
    return this.#run('hDel', [key, ...fields])
  }

  publish(channel, value) {
    return this.#handle().publish(channel, value)
  }

  subscribe(channel, handler, options) {
    return subscribeTo(this.#handle(), channel, handler, options)
  }

  healthCheck() {
    return pingService(() => handleOf(this))
  }

  getClient() {
    return this.isConnected ? (this.#client ??= new RawClient(this.#native)) : null
  }

  get cache() {
    return (this.#cache ??= new ApiCache(this))
  }

  get sessions() {
    return (this.#sessions ??= new SessionManager(this))
  }

  get limiter() {
    return (this.#limiter ??= new RateLimiter(this))
  }

  get locks() {
    return (this.#locks ??= new DistributedLock(this))
  }

  get rooms() {
    return (this.#rooms ??= new RealtimeDataManager(this))
  }

  [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    return this.disconnect()
  }

  // What a log shows: where it points, never the password it was made with.
  [Symbol.for('nodejs.util.inspect.custom')](_depth, options, inspect) {
    if (!this.#native) return 'RedisService { not used yet }'
    const { engine, host, port } = this.#native.describe()
    return `RedisService ${inspect({ engine, host, port, isConnected: this.isConnected }, options)}`
  }

  #run(name, args) {
    try {
      const [command, wire] = toCommand(name, args)
      return this.#handle().command(command, wire)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  // The lazy service may find its settings wrong only here: its calls then reject, as every call does.
  #handle() {
    try {
      return (this.#native ??= open())
    } catch (error) {
      return refusing(error)
    }
  }
}

function open(options) {
  assertServiceOptions(options)
  return new binding.Service(getBridge(), options, readEnvironment())
}

// Of most options only the names are looked at here; the native side says what they may be.
function assertServiceOptions(options) {
  assertOptions(options, OPTIONS)
  if (options === undefined) return
  for (const [name, names] of Object.entries(GROUPS)) {
    const group = readOption(options, name)
    if (typeof group === 'object' && group !== null && !Array.isArray(group)) assertOptions(group, names, `${name}.`)
  }
  const log = readOption(options, 'log')
  if (log === undefined || log === false || typeof log === 'function') return
  throw settingsError(`log must be false or a function, got ${describe(log)}`)
}

function readOption(options, name) {
  try {
    return options[name]
  } catch (error) {
    throw settingsError(`reading the option ${name} threw`, error)
  }
}

function settingsError(message, cause) {
  return new CinnabarError(message, { code: 'E_INVALID_SETTINGS', cause })
}

function refusing(error) {
  return new Proxy({}, { get: () => () => Promise.reject(error) })
}

/** A service with the settings of the environment, read at its first use. */
function lazyService() {
  return new RedisService(LAZY)
}

module.exports = { RedisService, lazyService }
