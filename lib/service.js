'use strict'

const { binding, getBridge } = require('./bridge.js')
const { ApiCache } = require('./cache.js')
const { NONE, Parts, assertGoing, bind, limitsWithin, unlessAborted } = require('./call-options.js')
const { comeBack, leave } = require('./draining.js')
const { forbiddenPlaces, readEnvironment } = require('./environment-variables.js')
const { CinnabarError } = require('./error.js')
const { pingService } = require('./health.js')
const { evaluation, register } = require('./hot-reload.js')
const { RateLimiter } = require('./limit.js')
const { DistributedLock } = require('./lock.js')
const {
  handleOf,
  handleWithin,
  isLazy: isLazyService,
  placeOf,
  provideHandle,
  refusing,
} = require('./native-service.js')
const { assertMilliseconds, describe, ownOptions } = require('./options.js')
const { isSharded, subscribeTo } = require('./pubsub.js')
const { JobQueue } = require('./queue.js')
const { queueOptionsOf } = require('./queue/options.js')
const { RawClient } = require('./raw.js')
const { toCommand } = require('./raw/commands.js')
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
  'stacks',
]
// The names within options that are objects.
const GROUPS = {
  tls: ['ca', 'cert', 'key', 'servername', 'fingerprint', 'rejectUnauthorized'],
  reconnect: ['firstMs', 'longestMs'],
  breaker: ['errorRate', 'windowMs', 'volume', 'openMs', 'probeTimeoutMs', 'slowCallMs', 'slowRate'],
  sentinel: ['username', 'password'],
}

/** A connection to a server, a cluster or an embedded store, and the features on top of it. */
class RedisService {
  #native
  #origin
  #limits = NONE
  #client
  #cache
  #sessions
  #limiter
  #locks
  #rooms

  constructor(options) {
    const parts = Parts.of(options, new.target)
    if (parts) {
      this.#origin = parts.origin
      this.#limits = parts.limits
    } else if (options !== LAZY) this.#native = openNative(options)
    const isLazy = options === LAZY || isLazyService(this.#origin)
    provideHandle(this, () => this.#opened(), this.#limits, isLazy)
  }

  with(options) {
    const origin = this.#origin ?? this
    return bind(RedisService, this, { origin, limits: limitsWithin(this.#limits, options) })
  }

  get isConnected() {
    return (this.#origin ?? this).#native?.isConnected ?? false
  }

  async connect() {
    assertGoing(this.#limits)
    const native = this.#handle()
    comeBack(native)
    await unlessAborted(this.#limits, native.connect())
  }

  async disconnect(options) {
    const drainMs = drainOf(options)
    const native = (this.#origin ?? this).#native
    if (!native) return
    const letGo = leave(native)
    try {
      await native.disconnect(drainMs)
    } finally {
      letGo()
    }
  }

  get(key) {
    return this.#handle().command('GET', [key])
  }

  getBuffer(key) {
    return this.#handle().command('GET', [key], true)
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

  hGetBuffer(key, field) {
    return this.#handle().command('HGET', [key, field], true)
  }

  hGetAll(key) {
    return this.#handle().command('HGETALL', [key])
  }

  hDel(key, ...fields) {
    return this.#run('hDel', [key, ...fields])
  }

  publish(channel, value, options) {
    try {
      return this.#handle().publish(channel, value, options === undefined ? undefined : isSharded(options))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async subscribe(channel, handler, options) {
    assertGoing(this.#limits)
    const found = evaluation()
    const subscribing = subscribeTo(this.#handle(), channel, handler, options)
    try {
      const subscription = await unlessAborted(this.#limits, subscribing)
      if (found) register(found, `to ${channel} of ${placeOf(this.#handle())}`, () => endQuietly(subscription))
      return subscription
    } catch (error) {
      // The caller is gone, so a subscription that still succeeds is closed.
      subscribing.then(
        (subscription) => subscription.close(),
        () => {},
      )
      throw error
    }
  }

  healthCheck() {
    return pingService(() => handleOf(this))
  }

  getClient() {
    const parts = { open: () => this.#opened(), isReady: () => this.isConnected, limits: this.#limits }
    return (this.#client ??= new RawClient(parts))
  }

  get cache() {
    return (this.#cache ??= this.#bound('cache') ?? new ApiCache(this))
  }

  get sessions() {
    return (this.#sessions ??= this.#bound('sessions') ?? new SessionManager(this))
  }

  get limiter() {
    return (this.#limiter ??= this.#bound('limiter') ?? new RateLimiter(this))
  }

  get locks() {
    return (this.#locks ??= this.#bound('locks') ?? new DistributedLock(this))
  }

  get rooms() {
    return (this.#rooms ??= this.#bound('rooms') ?? new RealtimeDataManager(this))
  }

  queue(name, options) {
    return new JobQueue(name, queueOptionsOf(this, options))
  }

  [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    return this.disconnect()
  }

  // For logs: shows the address, never the password.
  [Symbol.for('nodejs.util.inspect.custom')](_depth, options, inspect) {
    const native = (this.#origin ?? this).#native
    if (!native) return 'RedisService { not used yet }'
    const { engine, host, port } = native.describe()
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

  // The lazy service may find its settings invalid only here; its calls then reject.
  #handle() {
    try {
      return this.#opened()
    } catch (error) {
      return refusing(error)
    }
  }

  // The origin's object with these limits applied: their statistics are shared.
  #bound(name) {
    return this.#origin?.[name].with(this.#limits)
  }

  #opened() {
    const open = () => (this.#origin ? handleWithin(this.#origin.#opened(), this.#limits) : openNative())
    return (this.#native ??= open())
  }
}

function endQuietly(subscription) {
  subscription.close().catch(() => {})
}

function drainOf(options) {
  const { drainMs } = ownOptions(options, ['drainMs'])
  if (drainMs !== undefined) assertMilliseconds(drainMs, 'drainMs', 0)
  return drainMs
}

function openNative(options) {
  const native = new binding.Service(getBridge(), serviceOptions(options), readEnvironment())
  if (native.byDefault) assertNothingHidden()
  return native
}

// If Deno hides the variable that names the server, falling back to the embedded store would silently keep data in this process
// only.
function assertNothingHidden() {
  const names = forbiddenPlaces()
  if (names.length === 0) return
  const allowed = `Allow access with --allow-env=${names.join(',')}, or set the option url, for example { url: 'memory:' }.`
  throw settingsError(`no permission to read ${names.join(', ')}, so the server is unknown. ${allowed}`)
}

// Reads each option once. Only the names of most are checked here; the native side validates the values.
function serviceOptions(options) {
  if (options === undefined) return undefined
  const own = ownOptions(options, OPTIONS, '', settingsError)
  for (const [name, names] of Object.entries(GROUPS)) {
    const group = own[name]
    if (typeof group === 'object' && group !== null && !Array.isArray(group)) {
      own[name] = ownOptions(group, names, `${name}.`, settingsError)
    }
  }
  const { stacks, log } = own
  if (stacks !== undefined && typeof stacks !== 'boolean') {
    throw settingsError(`stacks must be true or false, got ${describe(stacks)}`)
  }
  if (log === undefined || log === false || typeof log === 'function') return own
  throw settingsError(`log must be false or a function, got ${describe(log)}`)
}

function settingsError(message, cause) {
  return new CinnabarError(message, { code: 'E_INVALID_SETTINGS', cause })
}

/** A service configured by environment variables, which are read at its first use. */
function lazyService() {
  return new RedisService(LAZY)
}

module.exports = { RedisService, lazyService }
