'use strict'

const { getBridge } = require('../bridge.js')
const { now } = require('../clock.js')
const { isClosing } = require('../closing.js')
const { argumentError } = require('../error.js')
const { checkHealth } = require('../health.js')
const { isService, nativeOf, notAService } = require('../native-service.js')
const { describe, ownOptions } = require('../options.js')
const { checkSettings, milliseconds } = require('./options.js')

const HEADERS = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' }
const PROBES = ['live', 'ready']
const CLOSING = 'closed: this process is shutting down'
const shared = new WeakMap()

/**
 * A check shared by requests: concurrent requests wait for the same check, and its report is reused for `maxAgeMs`. By default the
 * server is checked about once a second, however many load balancers send requests.
 */
class SharedCheck {
  #check
  #running = null
  #report = null
  #at = -Infinity

  constructor(check) {
    this.#check = check
  }

  read(maxAgeMs) {
    if (this.#running) return this.#running
    if (now() - this.#at < maxAgeMs) return this.#report
    this.#running = this.#check().then((report) => {
      this.#report = report
      this.#at = now()
      this.#running = null
      return report
    })
    return this.#running
  }
}

function sharedCheck(service, settings) {
  let bySettings = shared.get(service)
  if (!bySettings) shared.set(service, (bySettings = new Map()))
  const name = `${settings.timeoutMs} ${settings.slowMs}`
  let check = bySettings.get(name)
  if (!check) bySettings.set(name, (check = new SharedCheck(() => checkHealth(service, settings))))
  return check
}

function isEnding(service) {
  try {
    return isClosing(nativeOf(service), getBridge())
  } catch {
    // It has invalid settings, which the report says.
    return false
  }
}

/** A request handler that returns the health of `service`. Throws `E_INVALID_ARGUMENT` for invalid options. */
function makeHandler(options, defaultService) {
  if (isService(options)) throw argumentError('healthHandler takes an options object: pass the service as { service }')
  const known = ['service', 'timeoutMs', 'slowMs', 'maxAgeMs', 'detail', 'probe']
  const {
    service = defaultService,
    detail = true,
    maxAgeMs = 1000,
    probe = 'ready',
    ...rest
  } = ownOptions(options, known)
  if (!isService(service)) throw notAService('service')
  if (typeof detail !== 'boolean') throw argumentError('detail must be true or false')
  if (!PROBES.includes(probe)) throw argumentError(`probe must be 'live' or 'ready', got ${describe(probe)}`)
  milliseconds(maxAgeMs, 'maxAgeMs', { zero: true })
  const check = sharedCheck(service, checkSettings(rest))
  const read = async () => {
    // The process is alive if it gets here, whatever its server does.
    if (probe === 'live') return { status: 'healthy' }
    const report = await check.read(maxAgeMs)
    if (!isEnding(service)) return report
    return { ...report, status: 'down', alerts: [CLOSING, ...report.alerts] }
  }

  const respond = async (method = 'GET') => {
    if (method !== 'GET' && method !== 'HEAD') {
      const body = JSON.stringify({
        error: { code: 'method_not_allowed', message: 'Only GET and HEAD are allowed.' },
      })
      return { status: 405, headers: { ...HEADERS, allow: 'GET, HEAD' }, body }
    }
    const report = await read()
    const body = method === 'HEAD' ? null : JSON.stringify(detail ? report : { status: report.status })
    return { status: report.status === 'down' ? 503 : 200, headers: HEADERS, body }
  }

  const handle = async (request) => {
    const { status, headers, body } = await respond(request?.method ?? request?.req?.method)
    return new Response(body, { status, headers })
  }
  handle.node = async (request, response) => {
    const { status, headers, body } = await respond(request.method)
    response.writeHead(status, headers)
    response.end(body ?? undefined)
  }
  return handle
}

module.exports = { makeHandler }
