// Requests to the server: JSON out, JSON in, each one noted in the log.
import { suspect } from './connection.js'
import { logRequest } from './log.js'

const TIMEOUT_MS = 10_000
// Nothing was done, because Redis did not respond.
const AWAY = ['E_UNAVAILABLE', 'E_NOT_SENT', 'E_TIMEOUT', 'E_AUTH']

/**
 * Sends one request. Throws an `Error` with the server's message, `status`, `body` and `headers`; with `away` if the
 * server or its Redis did not respond.
 */
export async function api(method, path, body) {
  const begin = performance.now()
  let response
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
  } catch {
    logRequest(method, path, 'failed', performance.now() - begin)
    suspect()
    throw Object.assign(new Error("The example's server does not respond."), { away: true })
  }
  const reply = await response.json().catch(() => ({}))
  logRequest(method, path, response.status >= 500 ? 'failed' : response.status, performance.now() - begin)
  if (response.ok) return { body: reply, headers: response.headers }
  if (response.status >= 500) suspect()
  const away = AWAY.includes(reply.error?.code)
  const words = reply.error?.message ?? "The example's server could not do this. See its terminal."
  throw Object.assign(new Error(words), { status: response.status, body: reply, headers: response.headers, away })
}
