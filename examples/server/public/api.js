// Requests to the server: JSON out, JSON in, each one noted in the log.
import { suspect } from './connection.js'
import { logRequest } from './log.js'

const ANSWER_MS = 10_000
// Nothing was done, because Redis did not answer.
const AWAY = ['E_UNAVAILABLE', 'E_NOT_SENT', 'E_TIMEOUT', 'E_AUTH']

/**
 * Sends one request. A refusal is an Error in the server's words, with `status`, `body` and `headers`; with `away` where the
 * server or its Redis did not answer.
 */
export async function api(method, path, body) {
  const begin = performance.now()
  let response
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MS),
    })
  } catch {
    logRequest(method, path, 'failed', performance.now() - begin)
    suspect()
    throw Object.assign(new Error("The example's server does not answer."), { away: true })
  }
  const answer = await response.json().catch(() => ({}))
  logRequest(method, path, response.status >= 500 ? 'failed' : response.status, performance.now() - begin)
  if (response.ok) return { body: answer, headers: response.headers }
  if (response.status >= 500) suspect()
  const away = AWAY.includes(answer.error?.code)
  const words = answer.error?.message ?? "The example's server could not do this. Look at its terminal."
  throw Object.assign(new Error(words), { status: response.status, body: answer, headers: response.headers, away })
}
