'use strict'

const { binding, getBridge } = require('./bridge.js')
const { ApiCache } = require('./cache.js')
const { NO_LIMITS, throwIfAborted, undoIfAborted, unlessAborted } = require('./call-limits.js')
const { endClosing } = require('./closing.js')
const { beginConnect, beginDisconnect } = require('./draining.js')
const { forbiddenServerVariables, readEnvironment } = require('./environment-variables.js')
const { CinnabarError } = require('./error.js')
const { rejecting } = require('./feature.js')
const { pingService } = require('./health.js')
const { evaluation, register } = require('./hot-reload.js')
const { RateLimiter } = require('./limit.js')
const { Limitable, limitsOf, partsOf, readCall } = require('./limitable.js')
const { DistributedLock } = require('./lock.js')
const { isLazy, nativeOf, nativeWithin, registerService, storeIdOf } = require('./native-service.js')
const names = require('./option-names.js')
const { assertMilliseconds, describe, ownOptions, readOptions } = require('./options.js')
const { PUBLISH_OPTIONS, readSubscribe, subscribeTo } = require('./pubsub.js')
const { JobQueue } = require('./queue.js')
const { queueOptionsOf } = require('./queue/options.js')
const { ClientParts, RawClient } = require('./raw.js')
const { toCommand } = require('./raw/commands.js')
const { RealtimeDataManager } = require('./room.js')
const { SessionManager } = require('./session.js')

const LAZY = Symbol('lazy')

/** The service from which a service was derived by `with()`; none for that service itself. */
class Origin {
  constructor(service) {
    this.service = service
  }

  within(_limits, service) {
    return this.service ? this : new Origin(service)
  }
}

/** A connection to a server, a cluster or an embedded store, and the features on top of it. */
class RedisService extends Limitable {
  #native
  #client
  #cache
  #sessions
  #limiter
  #locks
  #rooms

  constructor(options) {
    super(options, () => ({ parts: new Origin(), limits: NO_LIMITS }))
    const origin = this.#origin
    if (!origin && options !== LAZY) this.#native = openNative(options)
    registerService(this, () => this.#open(), origin ? isLazy(origin) : options === LAZY)
  }

  get #origin() {
    return partsOf(this).service
  }

  get isConnected() {
    return (this.#origin ?? this).#native?.isConnected ?? false
  }

  async connect() {
    const limits = limitsOf(this)
    throwIfAborted(limits)
    const native = this.#nativeOrRejecting()
    beginConnect(native)
    endClosing(native)
    await unlessAborted(limits, native.connect())
  }

  async disconnect(options) {
    const drainMs = drainOf(options)
    const native = (this.#origin ?? this).#native
    if (!native) return
    const release = beginDisconnect(native)
    try {
      await native.disconnect(drainMs)
    } finally {
      release()
    }
  }

  get(key) {
    return this.#nativeOrRejecting().command('GET', [key])
  }

  getBuffer(key) {
    return this.#nativeOrRejecting().command('GET', [key], true)
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
    return this.#nativeOrRejecting().command('HGET', [key, field])
  }

  hGetBuffer(key, field) {
    return this.#nativeOrRejecting().command('HGET', [key, field], true)
  }

  hGetAll(key) {
    return this.#nativeOrRejecting().command('HGETALL', [key])
  }

  hDel(key, ...fields) {
    return this.#run('hDel', [key, ...fields])
  }

  publish(channel, value, options) {
    try {
      if (options === undefined) return this.#nativeOrRejecting().publish(channel, value, undefined)
      const [service, { sharded }] = readCall(this, options, PUBLISH_OPTIONS)
      return service.#nativeOrRejecting().publish(channel, value, sharded)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async subscribe(channel, handler, options) {
    const found = evaluation()
    const [service, read] = readSubscribe(this, handler, options)
    const limits = limitsOf(service)
    throwIfAborted(limits)
    const native = service.#nativeOrRejecting()
    const subscription = await undoIfAborted(
      limits,
      () => subscribeTo(native, channel, handler, read),
      (subscription) => subscription.close(),
    )
    if (found) register(found, `to ${channel} of ${storeIdOf(native)}`, () => subscription.close().catch(() => {}))
    return subscription
  }

  healthCheck() {
    return pingService(() => nativeOf(this))
  }

  getClient() {
    const open = () => this.#open()
    const isReady = () => this.isConnected
    return (this.#client ??= new RawClient(new ClientParts(open, isReady), limitsOf(this)))
  }

  get cache() {
    return (this.#cache ??= this.#derived('cache') ?? new ApiCache(this))
  }

  get sessions() {
    return (this.#sessions ??= this.#derived('sessions') ?? new SessionManager(this))
  }

  get limiter() {
    return (this.#limiter ??= this.#derived('limiter') ?? new RateLimiter(this))
  }

  get locks() {
    return (this.#locks ??= this.#derived('locks') ?? new DistributedLock(this))
  }

  get rooms() {
    return (this.#rooms ??= this.#derived('rooms') ?? new RealtimeDataManager(this))
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
      return this.#nativeOrRejecting().command(command, wire)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  // The lazy service may find its settings invalid only here; its calls then reject.
  #nativeOrRejecting() {
    try {
      return this.#open()
    } catch (error) {
      return rejecting(error)
    }
  }

  // The origin's object with these limits applied: their statistics are shared.
  #derived(name) {
    return this.#origin?.[name].with(limitsOf(this))
  }

  #open() {
    return (this.#native ??= this.#origin ? nativeWithin(this.#origin.#open(), limitsOf(this)) : openNative())
  }
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
  const names = forbiddenServerVariables()
  if (names.length === 0) return
  const allowed = `Allow access with --allow-env=${names.join(',')}, or set the option url, for example { url: 'memory:' }.`
  throw settingsError(`no permission to read ${names.join(', ')}, so the server is unknown. ${allowed}`)
}

// Only the names of most options are checked here; the native side validates the values.
function serviceOptions(options) {
  if (options === undefined) return undefined
  const own = readOptions(options, names.service, { refuse: settingsError })
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
