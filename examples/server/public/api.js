// Requests to the server: JSON out, JSON in, each one noted in the log.
import { logRequest } from './log.js'

/** Sends one request. A refusal is an Error in the server's words, with `status`, `body` and `headers`. */
export async function api(method, path, body) {
  const begin = performance.now()
  let response
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
  } catch {
    logRequest(method, path, 'failed', performance.now() - begin)
    throw new Error('The server cannot be reached. Is it still running?')
  }
  const answer = await response.json().catch(() => ({}))
  logRequest(method, path, response.status, performance.now() - begin)
  if (response.ok) return { body: answer, headers: response.headers }
  const words = answer.error?.message ?? `The server answered ${response.status}.`
  throw Object.assign(new Error(words), { status: response.status, body: answer, headers: response.headers })
}
