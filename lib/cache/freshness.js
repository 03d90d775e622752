'use strict'

// A directive counts wherever it stands alone: `;` in the place of `,` is a common mistake.
const PRIVATE = /(?<![\w-])(?:private|no-store|no-cache)(?![\w-])/i
const SHARED_AGE = /(?<![\w-])s-maxage\s*=\s*"?(\d+)/i
const AGE = /(?<![\w-])max-age\s*=\s*"?(\d+)/i
/** The form of dates in HTTP that senders must use (RFC 9110, 5.6.7). */
const DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/** Returns `'private'` if a shared cache must not store the response or would have to revalidate it each time, otherwise `'shared'`. */
function freshnessOf(headers) {
  const control = headers.get('cache-control')
  if (control === null) return isOver(headers) ? 'private' : 'shared'
  if (PRIVATE.test(control)) return 'private'
  const age = SHARED_AGE.exec(control) ?? AGE.exec(control)
  return age !== null && Number(age[1]) === 0 ? 'private' : 'shared'
}

/** Whether a response is stale by the headers of HTTP/1.0. */
function isOver(headers) {
  if (PRIVATE.test(headers.get('pragma') ?? '')) return true
  const expires = headers.get('expires')
  return expires !== null && !(dateOf(expires) > Date.now())
}

/** The time of a date in HTTP, in milliseconds; NaN for anything else. */
function dateOf(text) {
  return DATE.test(text) ? Date.parse(text) : NaN
}

module.exports = { dateOf, freshnessOf }
