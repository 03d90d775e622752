'use strict'

// The settings, read by the product itself: nothing here interprets a URL or a variable by rules of its own.

const { readEnvironment } = require('../environment-variables.js')
const { nativeOf } = require('../native-service.js')
const { RedisService } = require('../service.js')

const CHECK = 'settings'

/** What is examined: the service, its parts, and what the settings say of it. */
class Target {
  constructor(service, timeoutMs, encrypted) {
    this.service = service
    this.native = nativeOf(service)
    this.timeoutMs = timeoutMs
    const { engine, host, port, name, db } = this.native.describe()
    this.isEmbedded = engine === 'memory'
    /** `single`, `cluster`, `sentinel` or `memory`. */
    this.topology = this.native.status().topology
    this.primaryName = name
    this.database = db
    /** The servers to connect to first: `{ host, port }`, or `{ path }` of a socket. */
    this.addresses = this.isEmbedded ? [] : addressesOf(host, port, this.topology)
    // A socket of this machine is never encrypted.
    this.encrypted = encrypted && this.addresses.some((address) => address.host !== undefined)
  }

  /** For people, without a password. */
  get words() {
    if (this.isEmbedded) return 'the embedded engine'
    const database = this.database ? `, database ${this.database}` : ''
    const kind = { cluster: 'cluster ', sentinel: `${this.primaryName} at sentinels ` }[this.topology] ?? ''
    return `${kind}${this.addresses.map(nameOf).join(',')}${this.encrypted ? ' with TLS' : ''}${database}`
  }

  close() {
    return this.service.disconnect({ drainMs: 0 })
  }
}

function addressesOf(host, port, topology) {
  if (topology === 'single') return [port === null ? { path: host } : { host, port }]
  return host.split(',').map((text) => {
    const [, name, digits] = /^\[?(.*?)\]?:(\d+)$/.exec(text)
    return { host: name, port: Number(digits) }
  })
}

/** The name of an address. */
function nameOf({ host, port, path }) {
  if (path !== undefined) return `unix:${path}`
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Reads the settings into a `Target`; null if they are invalid, which is a finding. */
function readSettings(report, { url, tls, timeoutMs }) {
  const given = { log: false, onUnavailable: 'throw', ...(url !== undefined && { url }), ...(tls && { tls }) }
  const { value, error, warnings } = whileWarned(() => {
    // As an application reads them, so that an invalid value is found even where it is replaced below.
    nativeOf(new RedisService(given))
    // The deadline of the step comes first, so that a silent server is always the same finding.
    const longer = timeoutMs + 1000
    const own = { timeoutMs: longer, connectTimeoutMs: longer, connectWaitMs: longer, retryAttempts: 0, breaker: false }
    return new Target(new RedisService({ ...given, ...own }), timeoutMs, isEncrypted(given))
  })
  for (const text of warnings) report.warning(CHECK, 'settings-ignored', text.replace(/^cinnabar: /, ''), IGNORED)
  if (error) {
    report.error(CHECK, 'settings-invalid', error.message, 'correct it; docs/settings.md lists all forms')
    return null
  }
  report.target = value.words
  describeSource(report, value, url)
  return value
}

const IGNORED = 'change or remove it, so that what is set is what is used'

function describeSource(report, target, url) {
  if (target.native.byDefault) {
    const found = 'no server is configured, so data is kept in the memory of each process'
    report.warning(CHECK, 'settings-none', found, 'set REDIS_URL, or give the URL as an argument')
  } else if (target.isEmbedded) {
    report.ok(CHECK, 'the embedded engine: there is no server to examine')
  } else {
    const source = url === undefined ? 'from the environment' : 'from the command line'
    report.ok(CHECK, `${target.words}, ${source}`)
  }
}

// The product does not say whether TLS is on, but it refuses `tls: false` for a scheme that asks for it. Otherwise REDIS_TLS
// decides, and as it is valid by now, it has nothing but true or false in it.
function isEncrypted(given) {
  if (given.tls) return true
  try {
    nativeOf(new RedisService({ ...given, tls: false }))
  } catch {
    return true
  }
  return (readEnvironment().REDIS_TLS ?? '').includes('true')
}

/** Runs `work` and returns `{ value, error, warnings }`: what it would have written to the console is in `warnings`. */
function whileWarned(work) {
  const warnings = []
  const { warn } = console
  console.warn = (text) => warnings.push(String(text))
  try {
    return { value: work(), warnings }
  } catch (error) {
    return { error, warnings }
  } finally {
    console.warn = warn
  }
}

module.exports = { Target, nameOf, readSettings }
